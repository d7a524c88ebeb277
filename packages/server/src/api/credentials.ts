const MAX_CREDENTIALS_LENGTH = 8192;

/** The key of `Basic <any user>:<key>` or `Bearer <key>`; undefined when there is none to be read. */
export function credentialsOf(header: string | undefined): string | undefined {
  if (header === undefined || header.length > MAX_CREDENTIALS_LENGTH) return undefined;
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S+) *$/.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic' || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined;
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0 || /\p{Cc}/u.test(text)) return undefined;
  return text.slice(colon + 1);
}
