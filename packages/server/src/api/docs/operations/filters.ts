import { conditions, list, named, notFound, object, operation, paging, refusals } from './parts.ts';

const filter = operation.bind(null, 'Filters');

/** What is said of filters and conditions. */
export const filterDocs = {
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
};
