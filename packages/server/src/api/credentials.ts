import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { keyDigest } from '../core/key.ts';

const MAX_CREDENTIALS_LENGTH = 8192;

type Presented = { readonly header: string; readonly digest: string | undefined };

/** What came last on a connection: its callers say the same each time, and hashing costs more than all else of a call's rights. */
const presented = new WeakMap<Socket, Presented>();

/** The `keyDigest` of the key that a request presents; undefined when there is none to be read. */
export function digestOf({ headers, socket }: IncomingMessage): string | undefined {
  const header = headers.authorization;
  if (header === undefined) return undefined;
  const last = presented.get(socket);
  if (last?.header === header) return last.digest;
  const key = credentialsOf(header);
  const digest = key === undefined ? undefined : keyDigest(key);
  presented.set(socket, { header, digest });
  return digest;
}

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
