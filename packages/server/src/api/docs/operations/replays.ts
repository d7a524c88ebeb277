import { JOB_KINDS, JOB_STATES } from '../../../core/job.ts';
import { NewReplay } from '../schemas.ts';
import { errorBody, id, notFound, operation, page, paging, refusals } from './parts.ts';

const replay = operation.bind(null, 'Replays');

const replayAnswer = {
  type: 'object',
  properties: {
    Id: { type: 'string' },
    Kind: { type: 'string', enum: [...JOB_KINDS] },
    RegistrationId: { type: 'string' },
    State: { type: 'string', enum: [...JOB_STATES] },
    Reason: { type: 'string', nullable: true },
    Total: {
      type: 'integer',
      nullable: true,
      description: 'How many there were to send; null where counting them would take long.',
    },
    TotalIsExact: { type: 'boolean', description: 'False when there are more than 10,000.' },
    Done: { type: 'integer', description: 'Deliveries made so far.' },
    ReachedAt: {
      type: 'string',
      format: 'date-time',
      nullable: true,
      description: 'How far in the log it has come.',
    },
  },
  additionalProperties: true,
};

const unfinished = {
  409: { description: 'Its state does not allow it; Message says so.', ...errorBody },
};

/** What is said of replays. */
export const replayDocs = {
  createReplay: replay('createReplay', 'Send again what a registration was sent', {
    params: id,
    body: NewReplay,
    response: {
      202: { description: 'It has begun; Location says where to look.', ...replayAnswer },
      ...refusals,
      ...notFound,
      409: { description: 'Too many are unfinished; Message says so.', ...errorBody },
    },
  }),
  listReplays: replay('listReplays', 'List replays, newest first', {
    querystring: {
      type: 'object',
      properties: { registrationId: { type: 'string' }, ...paging },
    },
    response: { 200: page('Newest first.'), ...refusals },
  }),
  getReplay: replay('getReplay', 'Read how far a replay is', {
    params: id,
    response: { 200: { description: 'The replay.', ...replayAnswer }, ...refusals, ...notFound },
  }),
  pauseReplay: replay('pauseReplay', 'Pause a replay', {
    params: id,
    response: {
      200: { description: 'Paused.', ...replayAnswer },
      ...refusals,
      ...notFound,
      ...unfinished,
    },
  }),
  resumeReplay: replay('resumeReplay', 'Go on with a paused replay', {
    params: id,
    response: {
      200: { description: 'It goes on.', ...replayAnswer },
      ...refusals,
      ...notFound,
      ...unfinished,
    },
  }),
  cancelReplay: replay('cancelReplay', 'End a replay', {
    params: id,
    response: {
      200: { description: 'What it has made is sent, no more is made.', ...replayAnswer },
      ...refusals,
      ...notFound,
      ...unfinished,
    },
  }),
};
