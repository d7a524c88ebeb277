import { STEPS } from '../../../core/statistics.ts';
import {
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

const delivery = operation.bind(null, 'Deliveries');

/** What is said of deliveries and their sums. */
export const deliveryDocs = {
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
};
