import type { Outcome } from './outcome.ts';

/** What a 429 or 503 asked for in its `Retry-After`, in milliseconds from `now`; null when it asked for nothing readable. */
export function retryAfterMs(outcome: Outcome, now: number): number | null {
  if (outcome.kind !== 'response' || (outcome.status !== 429 && outcome.status !== 503))
    return null;
  const header = outcome.response.headers.find(([name]) => name.toLowerCase() === 'retry-after');
  return header === undefined ? null : parseRetryAfter(header[1], now);
}

/** Whole seconds, or an HTTP date in any of its three forms; null for anything else and for the past. */
export function parseRetryAfter(text: string, now: number): number | null {
  const value = text.trim();
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const ms = parseHttpDate(value);
  return ms === null || ms <= now ? null : ms - now;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const TIME = String.raw`(?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})`;
/** RFC 9110: IMF-fixdate, RFC 850 and asctime. */
const HTTP_DATES = [
  new RegExp(
    String.raw`^[a-z]{3}, (?<day>\d{2}) (?<month>[a-z]{3}) (?<year>\d{4}) ${TIME} gmt$`,
    'i',
  ),
  new RegExp(
    String.raw`^[a-z]{6,9}, (?<day>\d{2})-(?<month>[a-z]{3})-(?<year>\d{2}) ${TIME} gmt$`,
    'i',
  ),
  new RegExp(String.raw`^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \d]\d) ${TIME} (?<year>\d{4})$`, 'i'),
];

function parseHttpDate(value: string): number | null {
  if (value.length > 40) return null;
  for (const form of HTTP_DATES) {
    const parts = form.exec(value)?.groups;
    if (parts !== undefined) return dateOf(parts);
  }
  return null;
}

function dateOf(parts: Readonly<Record<string, string | undefined>>): number | null {
  const number = (name: string): number => Number(parts[name] ?? 'NaN');
  const month = MONTHS.indexOf((parts['month'] ?? '').toLowerCase());
  const [hour, minute, second] = [number('hour'), number('minute'), number('second')];
  if (month < 0 || number('day') > 31 || hour > 23 || minute > 59 || second > 60) return null;
  const year = parts['year']?.length === 2 ? 2000 + number('year') : number('year');
  return Date.UTC(year, month, number('day'), hour, minute, second);
}
