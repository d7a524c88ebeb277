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
