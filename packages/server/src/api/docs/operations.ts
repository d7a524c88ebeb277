import type { FastifySchema } from 'fastify';
import { DELIVERY_STATES } from '../../core/delivery.ts';
import { JOB_KINDS, JOB_STATES } from '../../core/job.ts';
import { STEPS } from '../../core/statistics.ts';
import { PENDING_CHOICES } from '../../store/port.ts';
import {
  NewFilter,
  NewKey,
  NewReplay,
  NewTenant,
  Resume,
  SecretChange,
  TenantChange,
  TestRequest,
} from './schemas.ts';

/** What an operation's document says: for people and generators; bodies are judged elsewhere. */
type Operation = FastifySchema & {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
};

const REGISTRATION_EXAMPLE = {
  WebHookUri: 'https://receiver.example/webhooks?noecho',
  Description: 'Completions for the HR system',
  Filters: ['CourseCompleted'],
};

const conditions = {
  type: 'object',
  additionalProperties: true,
  description:
    'What a notification must hold to be sent, by paths such as `Course.Id`; all of them must hold. A path takes a list of values and of tests: prefix, suffix, equals-ignore-case, anything-but, numeric, exists; any of them will do. `$or` takes a list of such objects. A PUT without it takes it away; answers have it only where it is set.',
  examples: [{ 'Course.CourseType': ['Webinar', { prefix: 'Web' }] }],
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

const errorBody = {
  type: 'object',
  properties: {
    Message: { type: 'string' },
    ModelState: {
      type: 'object',
      additionalProperties: { type: 'array', items: { type: 'string' } },
    },
  },
};

const refusals = {
  400: {
    description: 'The request cannot be read or is not allowed; Message says why.',
    ...errorBody,
  },
  401: { description: 'No key, or not a valid one.', ...errorBody },
  403: { description: 'The key is of another level.', ...errorBody },
  429: { description: 'Too many failed tries; see Retry-After.', ...errorBody },
};
const notFound = { 404: { description: 'There is none with this id in this tenant.' } };
const object = (description: string): object => ({
  description,
  type: 'object',
  additionalProperties: true,
});
const list = (description: string): object => ({
  description,
  type: 'array',
  items: { type: 'object', additionalProperties: true },
});
const page = (description: string): object => ({
  description,
  type: 'object',
  properties: {
    Items: { type: 'array', items: { type: 'object', additionalProperties: true } },
    Next: { type: 'string', nullable: true },
    Count: { type: 'integer', description: 'Only where it is asked for.' },
    CountIsExact: { type: 'boolean' },
  },
});
const id = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };
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
const named = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };
const callback = {
  type: 'object',
  required: ['WebHookUri'],
  properties: {
    WebHookUri: {
      type: 'string',
      format: 'uri',
      description: 'The callback of the tool, kept byte for byte.',
    },
  },
};

const paging = {
  cursor: { type: 'string', description: 'Next of the page before.' },
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
};
const period = {
  action: { type: 'string', description: 'Name of a filter.' },
  from: { type: 'string', description: 'From this time on, ISO 8601.' },
  to: { type: 'string', description: 'Before this time, ISO 8601.' },
};

const search = {
  subject: { type: 'string', description: "A learner's or course's id, e-mail or login name." },
  registrationId: { type: 'string' },
  state: { type: 'string', enum: [...DELIVERY_STATES] },
  outcome: { type: 'string', description: 'Class of the last attempt, such as tls_error.' },
  status: { type: 'integer', description: 'What the last attempt was answered with.' },
  text: { type: 'string', maxLength: 200, description: "Words of the last attempt's sentence." },
  count: {
    type: 'boolean',
    default: false,
    description: 'Adds Count, and CountIsExact: false when there are more than 10,000.',
  },
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

function operation(
  tag: string,
  operationId: string,
  summary: string,
  rest: FastifySchema,
): Operation {
  return { operationId, summary, tags: [tag], ...rest };
}

const registration = operation.bind(null, 'Registrations');
const filter = operation.bind(null, 'Filters');
const event = operation.bind(null, 'Events');
const delivery = operation.bind(null, 'Deliveries');
const replay = operation.bind(null, 'Replays');
const learner = operation.bind(null, 'Learners');
const admin = operation.bind(null, 'Administration');
const service = operation.bind(null, 'Service');

/** The document of every operation, by its id. */
export const docs = {
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

  listFilters: filter('listFilters', 'List what can be subscribed to', {
    response: { 200: list('Name and description of each filter.'), ...refusals },
  }),
  getFilter: filter('getFilter', 'Read a filter with schema and example', {
    params: named,
    response: { 200: object('The filter.'), ...refusals, ...notFound },
  }),
  filterSamples: filter('filterSamples', 'Recent notifications of a filter', {
    params: named,
    querystring: { type: 'object', properties: { limit: paging.limit } },
    response: {
      200: list('Newest first; the example where there are none.'),
      ...refusals,
      ...notFound,
    },
  }),
  matchConditions: filter('matchConditions', 'Try conditions before a registration has them', {
    params: named,
    body: {
      type: 'object',
      required: ['Conditions'],
      properties: {
        Conditions: conditions,
        Notification: {
          type: 'object',
          additionalProperties: true,
          description: 'What they are tried on; the example of the filter where it is left out.',
        },
        Recent: {
          type: 'integer',
          minimum: 1,
          maximum: 200,
          description: 'In place of a Notification: so many recent ones, newest first.',
        },
      },
    },
    response: {
      200: {
        description: 'What matches, and for what does not, which path failed and why.',
        type: 'object',
        properties: {
          Matched: { type: 'integer' },
          Of: { type: 'integer' },
          Items: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                EventId: { type: 'string', nullable: true },
                AcceptedAt: { type: 'string', format: 'date-time', nullable: true },
                Matches: { type: 'boolean' },
                Failed: {
                  type: 'array',
                  items: {
                    type: 'object',
                    properties: { Path: { type: 'string' }, Sentence: { type: 'string' } },
                  },
                },
                Notification: {
                  type: 'object',
                  additionalProperties: true,
                  nullable: true,
                  description: 'Null once the answer would be longer than 1 MiB.',
                },
              },
            },
          },
        },
      },
      ...refusals,
      ...notFound,
    },
  }),

  subscribe: registration('subscribe', 'Subscribe an automation tool to one filter', {
    params: { type: 'object', required: ['filter'], properties: { filter: { type: 'string' } } },
    body: callback,
    response: {
      201: object('The registration; Location is what DELETE is called on.'),
      ...refusals,
      ...notFound,
    },
  }),
  deleteSubscription: registration('deleteSubscription', 'Delete a subscription by id', {
    params: {
      type: 'object',
      required: ['filter'],
      properties: { filter: { type: 'string', description: 'The id from Location.' } },
    },
    response: { 200: { description: 'Deleted, now or before.' }, ...refusals },
  }),
  unsubscribe: registration('unsubscribe', 'Delete subscriptions by callback URI', {
    body: callback,
    response: { 200: object('How many were removed.'), ...refusals },
  }),

  publish: event('publish', 'Publish events', {
    headers: {
      type: 'object',
      properties: { 'idempotency-key': { type: 'string', maxLength: 255 } },
    },
    body: {
      description:
        'One notification, one event `{"Notifications": […]}`, an array of either, or NDJSON.',
      type: 'object',
      additionalProperties: true,
      examples: [{ Action: 'CourseCompleted', Course: { Id: '17', Title: 'First Aid' } }],
    },
    response: {
      202: object(
        'Durable: the id of the event and how many deliveries it has. An array for an array.',
      ),
      ...refusals,
      409: { description: 'The idempotency key was used with other content.', ...errorBody },
      413: { description: 'Too large or too many.', ...errorBody },
      429: {
        description:
          'Not accepted: as many deliveries of the tenant wait as may; see Retry-After. Also after too many failed tries of a key.',
        ...errorBody,
      },
      503: {
        description:
          'Not accepted: the store cannot be written now, or too much waits for it; see Retry-After.',
        ...errorBody,
      },
    },
  }),
  listEvents: event('listEvents', 'List events', {
    querystring: { type: 'object', properties: { ...search, ...period, ...paging } },
    response: { 200: page('Newest first.'), ...refusals },
  }),
  getEvent: event('getEvent', 'Read an event and where it went', {
    params: id,
    response: {
      200: object('The event with its deliveries, and where it did not go and why.'),
      ...refusals,
      ...notFound,
    },
  }),

  listDeliveries: delivery('listDeliveries', 'List deliveries', {
    querystring: {
      type: 'object',
      properties: {
        eventId: { type: 'string' },
        ...search,
        ...period,
        ...paging,
      },
    },
    response: { 200: page('Newest first.'), ...refusals },
  }),
  getDelivery: delivery('getDelivery', 'Read a delivery with its attempts', {
    params: id,
    response: {
      200: object('The delivery; History holds its newest 100 attempts, oldest first.'),
      ...refusals,
      ...notFound,
    },
  }),
  retryDelivery: delivery('retryDelivery', 'Send a delivery again now', {
    params: id,
    response: { 202: object('It is sent again.'), ...refusals, ...notFound },
  }),
  cancelDelivery: delivery('cancelDelivery', 'Cancel a delivery', {
    params: id,
    response: { 200: object('It is cancelled.'), ...refusals, ...notFound },
  }),

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

  listTenants: admin('listTenants', 'List tenants', {
    response: { 200: list('By id.'), ...refusals },
  }),
  createTenant: admin('createTenant', 'Create a tenant', {
    body: NewTenant,
    response: {
      201: object('The tenant.'),
      ...refusals,
      409: { description: 'The id is taken.', ...errorBody },
    },
  }),
  getTenant: admin('getTenant', 'Read a tenant', {
    params: id,
    response: { 200: object('The tenant.'), ...refusals, ...notFound },
  }),
  changeTenant: admin('changeTenant', 'Change a tenant', {
    params: id,
    body: TenantChange,
    response: { 200: object('The tenant.'), ...refusals, ...notFound },
  }),
  deleteTenant: admin('deleteTenant', 'Delete a tenant and all that is kept for it', {
    params: id,
    response: { 204: { description: 'Deleted.' }, ...refusals, ...notFound },
  }),
  listKeys: admin('listKeys', 'List keys of a tenant', {
    params: id,
    response: { 200: list('Without the keys themselves.'), ...refusals, ...notFound },
  }),
  createKey: admin('createKey', 'Create a key', {
    params: id,
    body: NewKey,
    response: { 201: object('The only answer that shows the key.'), ...refusals, ...notFound },
  }),
  revokeKey: admin('revokeKey', 'Revoke a key at once', {
    params: {
      type: 'object',
      required: ['id', 'keyId'],
      properties: { id: { type: 'string' }, keyId: { type: 'string' } },
    },
    response: { 204: { description: 'Revoked.' }, ...refusals, ...notFound },
  }),
  adminListFilters: admin('adminListFilters', 'List filters with schema and example', {
    response: { 200: list('Built in and own.'), ...refusals },
  }),
  adminGetFilter: admin('adminGetFilter', 'Read a filter', {
    params: named,
    response: { 200: object('The filter.'), ...refusals, ...notFound },
  }),
  putFilter: admin('putFilter', 'Make or change an own filter', {
    params: named,
    body: NewFilter,
    response: { 200: object('Changed.'), 201: object('Made.'), ...refusals },
  }),
  deleteFilter: admin('deleteFilter', 'Delete an own filter', {
    params: named,
    response: { 204: { description: 'Deleted.' }, ...refusals, ...notFound },
  }),

  listNodes: admin('listNodes', 'The processes that share the work', {
    response: {
      200: list('Name, Version, StartedAt, Shards of 64, and SilentMs since it was heard of.'),
      ...refusals,
    },
  }),

  statistics: delivery('statistics', 'How much, how well and how fast, over time', {
    querystring: {
      type: 'object',
      properties: {
        step: { type: 'string', enum: Object.keys(STEPS), default: 'hour' },
        registrationId: search.registrationId,
        ...period,
      },
    },
    response: {
      200: object(
        'From, To and Step; Total, and Buckets of every span in between, oldest first: Published, Deliveries, Delivered, Exhausted, Attempts, Failed by class, and P50, P90 and P99 of LatencyMs and AttemptMs; Backlog now.',
      ),
      ...refusals,
    },
  }),

  listAudit: service('listAudit', 'Who did what in the tenant', {
    querystring: { type: 'object', properties: { from: period.from, to: period.to, ...paging } },
    response: {
      200: page('Newest first; secrets by a name that tells only whether they changed.'),
      ...refusals,
    },
  }),
  adminListAudit: admin('adminListAudit', 'Who did what in the installation', {
    querystring: {
      type: 'object',
      properties: {
        tenant: { type: 'string', description: 'Only of this tenant, which may be gone.' },
        from: period.from,
        to: period.to,
        ...paging,
      },
    },
    response: { 200: page('Newest first, of all tenants and the installation.'), ...refusals },
  }),

  live: service('live', 'Is the process alive?', { response: { 200: object('It is.') } }),
  ready: service('ready', 'Would publishing work now?', {
    response: { 200: object('It would.'), 503: object('It would not; Message says why.') },
  }),
  metrics: service('metrics', 'Metrics for Prometheus', {
    response: { 200: { description: 'Text format.', type: 'string' } },
  }),
};
