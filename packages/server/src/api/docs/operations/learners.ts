import { PENDING_CHOICES } from '../../../store/port.ts';
import { object, operation, refusals } from './parts.ts';

const learner = operation.bind(null, 'Learners');

const subjectKey = {
  type: 'object',
  required: ['key'],
  properties: {
    key: {
      type: 'string',
      minLength: 1,
      maxLength: 320,
      description: 'Id, e-mail address or login name of the learner, as the filters find them.',
    },
  },
};

/** What is said of what is kept about a learner. */
export const learnerDocs = {
  exportSubject: learner('exportSubject', 'Export all that is kept about one learner', {
    description:
      'Every event with a notification about the learner, newest first, with the deliveries that carry one and their attempts. Other notifications of these events are left out. Reading is on record in the audit log, under a keyed hash of the key.',
    params: subjectKey,
    response: {
      200: object('Events is a list; the answer is sent as it is read.'),
      ...refusals,
    },
  }),
  eraseSubject: learner('eraseSubject', 'Erase all that is kept about one learner', {
    description:
      'Erases the notifications about the learner, what attempts of their deliveries sent and were answered, and what all of it is found by. Other notifications of the same events stay. A call that was cut short is made again.',
    params: subjectKey,
    querystring: {
      type: 'object',
      properties: {
        pending: {
          type: 'string',
          enum: [...PENDING_CHOICES],
          default: 'send',
          description:
            'What becomes of deliveries that are pending or held. `send`: they are sent, and what they carry is erased within minutes of their end. `cancel`: nothing about the learner is sent any more.',
        },
      },
    },
    response: {
      200: object(
        'The receipt: how many of each were erased or cancelled, and how many deliveries are waited for.',
      ),
      ...refusals,
    },
  }),
};
