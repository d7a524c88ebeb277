import { DELIVERY_STATES, type DeliveryState } from '../core/delivery.ts';
import { AppError } from '../core/errors.ts';
import { MAX_SUBJECT_LENGTH } from '../core/subjects.ts';
import type { Count, LogQuery } from '../store/port.ts';
import { given, timeOf } from './query.ts';

/** What both logs are searched by, besides cursor and limit. */
export const LOG_PARAMETERS = [
  'subject',
  'action',
  'registrationId',
  'state',
  'outcome',
  'status',
  'text',
  'from',
  'to',
  'count',
] as const;

const MAX_TEXT_LENGTH = 200;

/** What is asked of a log in the caller's tenant. Throws 400 with a sentence. */
export function logQueryOf(query: ReadonlyMap<string, string>, tenant: string): LogQuery {
  return {
    tenant,
    ...given({
      subject: shortText(query, 'subject', MAX_SUBJECT_LENGTH),
      action: query.get('action'),
      registrationId: query.get('registrationid'),
      state: stateOf(query.get('state')),
      outcome: query.get('outcome')?.toLowerCase(),
      status: statusOf(query.get('status')),
      text: wordsOf(query),
      from: timeOf(query, 'from'),
      to: timeOf(query, 'to'),
    }),
  };
}

/** True when the caller wants to know how many there are in all. */
export function wantsCount(query: ReadonlyMap<string, string>): boolean {
  const text = query.get('count')?.toLowerCase() ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw new AppError('bad_request', 'count is true or false.');
}

/** Members of a page; nothing where it was not asked for. */
export function countJson(counted: Count | undefined): object {
  return counted === undefined ? {} : { Count: counted.count, CountIsExact: counted.isExact };
}

function shortText(
  query: ReadonlyMap<string, string>,
  name: 'subject' | 'text',
  limit: number,
): string | undefined {
  const text = query.get(name);
  if (text === undefined || (text.length > 0 && text.length <= limit)) return text;
  throw new AppError('bad_request', `${name} is a text of 1 to ${limit} characters.`);
}

/** No sentence has control characters, and SQLite would look for what stands before a NUL. */
function wordsOf(query: ReadonlyMap<string, string>): string | undefined {
  const words = shortText(query, 'text', MAX_TEXT_LENGTH);
  if (words === undefined || !/\p{Cc}/u.test(words)) return words;
  throw new AppError('bad_request', 'text holds a control character, which no sentence does.');
}

function statusOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d\d$/.test(text)) return Number(text);
  throw new AppError('bad_request', 'status is an HTTP status such as 401.');
}

function stateOf(text: string | undefined): DeliveryState | undefined {
  if (text === undefined) return undefined;
  const state = DELIVERY_STATES.find((known) => known === text.toLowerCase());
  if (state !== undefined) return state;
  throw new AppError('bad_request', `state is one of ${DELIVERY_STATES.join(', ')}.`);
}
