import type { FastifySchema } from 'fastify';
import { DELIVERY_STATES } from '../../../core/delivery.ts';

/** What an operation's document says: for people and generators; bodies are judged elsewhere. */
type Operation = FastifySchema & {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
};

/** Documents an operation, in the chapter `tag`. */
export function operation(
  tag: string,
  operationId: string,
  summary: string,
  rest: FastifySchema,
): Operation {
  return { operationId, summary, tags: [tag], ...rest };
}

export const errorBody = {
  type: 'object',
  properties: {
    Message: { type: 'string' },
    ModelState: {
      type: 'object',
      additionalProperties: { type: 'array', items: { type: 'string' } },
    },
  },
};

export const refusals = {
  400: {
    description: 'The request cannot be read or is not allowed; Message says why.',
    ...errorBody,
  },
  401: { description: 'No key, or not a valid one.', ...errorBody },
  403: { description: 'The key is of another level.', ...errorBody },
  429: { description: 'Too many failed tries; see Retry-After.', ...errorBody },
};

export const notFound = { 404: { description: 'There is none with this id in this tenant.' } };

export const object = (description: string): object => ({
  description,
  type: 'object',
  additionalProperties: true,
});

export const list = (description: string): object => ({
  description,
  type: 'array',
  items: { type: 'object', additionalProperties: true },
});

export const page = (description: string): object => ({
  description,
  type: 'object',
  properties: {
    Items: { type: 'array', items: { type: 'object', additionalProperties: true } },
    Next: { type: 'string', nullable: true },
    Count: { type: 'integer', description: 'Only where it is asked for.' },
    CountIsExact: { type: 'boolean' },
  },
});

export const id = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };

export const named = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string' } },
};

export const conditions = {
  type: 'object',
  additionalProperties: true,
  description:
    'What a notification must hold to be sent, by paths such as `Course.Id`; all of them must hold. A path takes a list of values and of tests: prefix, suffix, equals-ignore-case, anything-but, numeric, exists; any of them will do. `$or` takes a list of such objects. A PUT without it takes it away; answers have it only where it is set.',
  examples: [{ 'Course.CourseType': ['Webinar', { prefix: 'Web' }] }],
};

export const paging = {
  cursor: { type: 'string', description: 'Next of the page before.' },
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 },
};

export const period = {
  action: { type: 'string', description: 'Name of a filter.' },
  from: { type: 'string', description: 'From this time on, ISO 8601.' },
  to: { type: 'string', description: 'Before this time, ISO 8601.' },
};

export const search = {
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
