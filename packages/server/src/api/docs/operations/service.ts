import { object, operation, page, paging, period, refusals } from './parts.ts';

const service = operation.bind(null, 'Service');

/** What is said of the service itself, and of who did what. */
export const serviceDocs = {
  listAudit: service('listAudit', 'Who did what in the tenant', {
    querystring: { type: 'object', properties: { from: period.from, to: period.to, ...paging } },
    response: {
      200: page('Newest first; secrets by a name that tells only whether they changed.'),
      ...refusals,
    },
  }),
  live: service('live', 'Is the process alive?', { response: { 200: object('It is.') } }),
  ready: service('ready', 'Would publishing work now?', {
    response: { 200: object('It would.'), 503: object('It would not; Message says why.') },
  }),
  metrics: service('metrics', 'Metrics for Prometheus', {
    response: { 200: { description: 'Text format.', type: 'string' } },
  }),
};
