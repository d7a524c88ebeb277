import { Resume, SecretChange, TestRequest } from '../schemas.ts';
import {
  conditions,
  errorBody,
  id,
  notFound,
  object,
  operation,
  paging,
  refusals,
} from './parts.ts';

const registration = operation.bind(null, 'Registrations');

const REGISTRATION_EXAMPLE = {
  WebHookUri: 'https://receiver.example/webhooks?noecho',
  Description: 'Completions for the HR system',
  Filters: ['CourseCompleted'],
};

const registrationBody = {
  type: 'object',
  required: ['WebHookUri'],
  properties: {
    Id: { type: 'string', description: 'On PUT, the id of the path. On POST it is passed over.' },
    WebHookUri: {
      type: 'string',
      format: 'uri',
      description:
        'Where deliveries are posted. It must answer a GET with its `echo` parameter, unless its query has `noecho`.',
    },
    Secret: {
      type: 'string',
      minLength: 32,
      maxLength: 64,
      description: 'Signs deliveries. Made where absent.',
    },
    Description: { type: 'string', maxLength: 1024, nullable: true },
    IsPaused: { type: 'boolean', default: false, description: 'While true, deliveries are held.' },
    Filters: {
      type: 'array',
      items: { type: 'string' },
      description: 'Names of filters; none means `*`.',
    },
    Headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Sent with every delivery.',
    },
    Properties: {
      type: 'object',
      additionalProperties: true,
      description: 'Copied into every delivery.',
    },
    Conditions: conditions,
    Ordering: {
      type: 'string',
      enum: ['none', 'subject', 'strict'],
      default: 'none',
      description:
        'Where deliveries must come in the order in which their events were accepted: those of one learner or course (`subject`), or all of them in a single file (`strict`).',
    },
  },
  examples: [REGISTRATION_EXAMPLE],
};

const oldSecrets = {
  type: 'array',
  description: 'What signs `webhook-signature` beside the newest secret, and until when.',
  items: {
    type: 'object',
    properties: {
      Id: { type: 'string' },
      Until: { type: 'string', format: 'date-time' },
      SignsMsSignatureUntil: {
        type: 'string',
        format: 'date-time',
        description: 'Only for the one that signs `ms-signature` until then.',
      },
    },
  },
};

const registrationAnswer = {
  type: 'object',
  properties: {
    ...registrationBody.properties,
    Id: { type: 'string', description: '32 hexadecimal digits.' },
    WebHookUri: {
      type: 'string',
      description:
        'In clear in the 201 only; with `****` for the values of its query afterwards. Sent back so, it means "unchanged".',
    },
    Secret: {
      type: 'string',
      description: 'In clear in the 201 only; `****` and its last four afterwards.',
    },
    Headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description:
        'In clear in the 201 only; `****` afterwards. Sent back so, it means "unchanged".',
    },
    SecretId: { type: 'string', description: 'Only while old secrets sign: names the newest.' },
    OldSecrets: { ...oldSecrets, description: 'Only while there are any that sign.' },
    SwitchedOff: {
      type: 'object',
      description: 'Only where the endpoint is gone: since when, and why.',
      properties: { At: { type: 'string', format: 'date-time' }, Reason: { type: 'string' } },
    },
  },
  examples: [
    {
      Id: '019a0b5c2d3e7f8091a2b3c4d5e6f708',
      ...REGISTRATION_EXAMPLE,
      Secret: '0f8fad5bd9cb469fa16570867728950e',
      IsPaused: false,
      Headers: {},
      Properties: {},
    },
  ],
};

const heldPart = {
  type: 'object',
  properties: {
    Sent: {
      type: 'integer',
      nullable: true,
      description: 'At least so many, where HeldIsExact is false; null where that is not known.',
    },
    EstimatedSeconds: {
      type: 'integer',
      nullable: true,
      description: 'By how long the receiver took lately; null where it took nothing.',
    },
  },
};

/** What is said of registrations and what was sent to them. */
export const registrationDocs = {
  listRegistrations: registration('listRegistrations', 'List registrations', {
    querystring: {
      type: 'object',
      properties: { webHookUri: { type: 'string' }, filter: { type: 'string' } },
    },
    response: {
      200: {
        description: 'All registrations of the tenant.',
        type: 'array',
        items: registrationAnswer,
      },
      ...refusals,
    },
  }),
  getRegistration: registration('getRegistration', 'Read a registration', {
    params: id,
    response: {
      200: { description: 'The registration, its secret masked.', ...registrationAnswer },
      ...refusals,
      ...notFound,
    },
  }),
  register: registration('register', 'Register a webhook', {
    body: registrationBody,
    response: {
      201: {
        description: 'The registration with its secret; Location says where it is.',
        ...registrationAnswer,
      },
      ...refusals,
    },
  }),
  replaceRegistration: registration('replaceRegistration', 'Replace a registration', {
    params: id,
    body: registrationBody,
    response: { 200: { description: 'Replaced.' }, ...refusals, ...notFound },
  }),
  deleteRegistration: registration('deleteRegistration', 'Delete a registration', {
    params: id,
    response: {
      200: { description: 'Deleted; what waited for it is cancelled.' },
      ...refusals,
      ...notFound,
    },
  }),
  deleteRegistrations: registration(
    'deleteRegistrations',
    'Delete all registrations, or those of one URI',
    {
      querystring: { type: 'object', properties: { webHookUri: { type: 'string' } } },
      response: { 200: { description: 'Deleted, however many there were.' }, ...refusals },
    },
  ),
  changeSecret: registration('changeSecret', 'Change the secret, with an overlap', {
    params: id,
    body: SecretChange,
    response: {
      200: {
        description: 'The new secret, the only time that it is shown.',
        type: 'object',
        properties: {
          Id: { type: 'string', description: 'Of the registration.' },
          Secret: { type: 'string' },
          SecretId: {
            type: 'string',
            description: 'Names the secret in the log of attempts and the audit log.',
          },
          OldSecrets: oldSecrets,
        },
      },
      ...refusals,
      ...notFound,
      409: { description: 'Too many old secrets sign already; Message says so.', ...errorBody },
    },
  }),
  testRegistration: registration('testRegistration', 'Send the example of a filter now', {
    params: id,
    body: TestRequest,
    response: { 200: object('The attempt.'), ...refusals, ...notFound },
  }),
  previewResume: registration('previewResume', 'See what resuming would send', {
    params: id,
    response: {
      200: {
        description: 'How many are held, and what each choice comes to.',
        type: 'object',
        properties: {
          Held: { type: 'integer' },
          HeldIsExact: {
            type: 'boolean',
            description:
              'False when there are more than the 100,000 that are looked at: Sent of Newest is null then.',
          },
          All: heldPart,
          Newest: heldPart,
          None: heldPart,
        },
      },
      ...refusals,
      ...notFound,
    },
  }),
  resumeRegistration: registration('resumeRegistration', 'Resume a registration', {
    params: id,
    body: Resume,
    response: {
      200: {
        description: 'It is active.',
        type: 'object',
        properties: {
          Held: { type: 'string', enum: ['all', 'newest', 'none'] },
          Sent: { type: 'integer', description: 'Of what was held; 10,000 are counted at most.' },
          SentIsExact: { type: 'boolean' },
          Cancelled: { type: 'integer' },
        },
      },
      ...refusals,
      ...notFound,
      409: { description: 'It is active already.', ...errorBody },
    },
  }),
  feed: registration('feed', 'What was sent and what waits, in order', {
    params: id,
    querystring: {
      type: 'object',
      properties: {
        after: { type: 'integer', minimum: 0, default: 0, description: 'Only what comes after.' },
        limit: paging.limit,
      },
    },
    response: {
      200: {
        description: 'By Sequence, which counts the deliveries of the registration.',
        type: 'object',
        properties: {
          Items: { type: 'array', items: { type: 'object', additionalProperties: true } },
          Last: { type: 'integer', description: 'Sequence of the newest delivery; 0 for none.' },
        },
      },
      ...refusals,
      ...notFound,
    },
  }),
};
