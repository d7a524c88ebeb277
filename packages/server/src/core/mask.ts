import type { ResponseRecord } from './outcome.ts';

/** What stands for a value that is not shown. */
export const MASKED = '****';

/**
 * A URI as it may be shown and logged: values of its query may be credentials, and so may a query
 * without any. `noecho` stays, for it says how the URI was verified.
 */
export function maskQuery(uri: string): string {
  const start = uri.indexOf('?');
  if (start < 0) return uri;
  const parts = uri.slice(start + 1).split('&');
  return `${uri.slice(0, start + 1)}${parts.map(maskParameter).join('&')}`;
}

function maskParameter(part: string): string {
  if (part === '' || /^noecho(=|$)/i.test(part)) return part;
  const equals = part.indexOf('=');
  return equals < 0 ? MASKED : `${part.slice(0, equals)}=${MASKED}`;
}

/** Shorter values are everywhere; they cannot be found again. */
const SHORTEST_FOUND = 8;

/** What a registration sends that may be a credential: values of its headers and of its URI's query. */
export function sentSecrets(
  uri: string,
  headers: readonly (readonly [name: string, value: string])[],
): readonly string[] {
  const start = uri.indexOf('?');
  const query = start < 0 ? '' : uri.slice(start + 1);
  const texts = [
    ...headers.flatMap(([, value]) => [value, ...value.split(' ')]),
    ...query.split('&').map((part) => part.slice(part.indexOf('=') + 1)),
    ...new URLSearchParams(query).values(),
  ];
  return longestFirst(texts);
}

function longestFirst(texts: readonly string[]): readonly string[] {
  const found = texts.filter((text) => text.length >= SHORTEST_FOUND);
  return [...new Set(found)].toSorted((one, other) => other.length - one.length);
}

/** What was received without these, as far as they are long enough to be told from anything else. */
export function hideIn(response: ResponseRecord, texts: readonly string[]): ResponseRecord {
  const found = longestFirst(texts);
  const headers = response.headers.map(([name, value]) => [name, hide(value, found)] as const);
  return { ...response, headers, body: hide(response.body, found) };
}

/** The text with each of these replaced, longest first. */
export function hide(text: string, secrets: readonly string[]): string {
  let hidden = text;
  for (const secret of secrets) hidden = hidden.replaceAll(secret, MASKED);
  return hidden;
}
