import type { FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';

/** A page holds this many items where the caller does not say. */
const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/** The parameters of a query by lower-case name; throws 400 for unknown and repeated ones. */
export function readQuery(
  request: FastifyRequest,
  known: readonly string[],
): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  const search = request.url.includes('?') ? request.url.slice(request.url.indexOf('?') + 1) : '';
  const byLower = new Set(known.map((name) => name.toLowerCase()));
  for (const [name, value] of new URLSearchParams(search)) {
    const lower = name.toLowerCase();
    if (!byLower.has(lower)) {
      throw new AppError(
        'bad_request',
        `There is no parameter '${name.slice(0, 64)}'; known are ${known.join(', ')}.`,
      );
    }
    if (parameters.has(lower))
      throw new AppError('bad_request', `The parameter '${lower}' stands twice.`);
    parameters.set(lower, value);
  }
  return parameters;
}

/** 1 to 1,000. */
export function limitOf(query: ReadonlyMap<string, string>): number {
  const text = query.get('limit');
  if (text === undefined) return DEFAULT_LIMIT;
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_LIMIT) return Number(text);
  throw new AppError('bad_request', `limit is a number from 1 to ${MAX_LIMIT}.`);
}

/** A time as ISO 8601 with its zone, or as a date; undefined when it is not given. */
export function timeOf(
  query: ReadonlyMap<string, string>,
  name: 'from' | 'to',
): number | undefined {
  const text = query.get(name);
  return text === undefined ? undefined : readTime(text, name);
}

/** Milliseconds of a time as ISO 8601 with its zone, or of a date; throws 400 with the name of the member. */
export function readTime(text: string, name: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(
    text,
  );
  const ms = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new AppError('bad_request', `${name} is a time such as 2026-09-01T08:00:00Z, or a date.`);
}

/** Leaves out members that are undefined, which exact optional members may not be. */
export function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
