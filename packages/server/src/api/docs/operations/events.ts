import {
  errorBody,
  id,
  notFound,
  object,
  operation,
  page,
  paging,
  period,
  refusals,
  search,
} from './parts.ts';

const event = operation.bind(null, 'Events');

/** What is said of events. */
export const eventDocs = {
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
};
