import { notFound, object, operation, refusals } from './parts.ts';

const registration = operation.bind(null, 'Registrations');

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

/** What is said of the calls that automation tools make. */
export const subscriptionDocs = {
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
};
