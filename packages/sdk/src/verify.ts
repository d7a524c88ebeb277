import { VerificationError } from './errors.ts';

/** Headers as any HTTP library has them; names in any case. */
export type HeaderSource =
  | Headers
  | Readonly<Record<string, string | readonly string[] | undefined>>;

export type VerifyOptions = {
  /** The bytes as received: parse them afterwards, never write them anew before. */
  readonly body: Uint8Array | string;
  readonly headers: HeaderSource;
  /** One secret, or the old and the new one while it is being changed. */
  readonly secret: string | readonly string[];
  /** How far the sender's clock may be from ours; 5 minutes. Not for `ms-signature`, which has no time. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
};

export type Verified = {
  readonly scheme: 'standard-webhooks' | 'ms-signature';
  /** Id of the delivery, the same in every attempt; undefined where only `ms-signature` came. */
  readonly id: string | undefined;
};

const DEFAULT_TOLERANCE_SECONDS = 300;
const encoder = new TextEncoder();

/**
 * Verifies that a request comes from who holds the secret and was not changed: by the Standard
 * Webhooks headers where they are present, which also bound its age, else by ASP.NET WebHooks'
 * `ms-signature`. Signatures are compared in constant time. Throws VerificationError.
 */
export async function verify(options: VerifyOptions): Promise<Verified> {
  const secrets = typeof options.secret === 'string' ? [options.secret] : options.secret;
  if (secrets.length === 0 || secrets.some((secret) => secret === '')) {
    throw new VerificationError('bad_secret', 'The secret is empty.');
  }
  const body = typeof options.body === 'string' ? encoder.encode(options.body) : options.body;
  const signature = headerOf(options.headers, 'webhook-signature');
  if (signature !== undefined) return verifyStandard(options, secrets, body, signature);
  const ms = headerOf(options.headers, 'ms-signature');
  if (ms === undefined) {
    throw new VerificationError(
      'missing_headers',
      'The request has neither webhook-signature nor ms-signature.',
    );
  }
  return verifyMs(secrets, body, ms);
}

async function verifyStandard(
  options: VerifyOptions,
  secrets: readonly string[],
  body: Uint8Array,
  signatures: string,
): Promise<Verified> {
  const id = headerOf(options.headers, 'webhook-id');
  const timestamp = headerOf(options.headers, 'webhook-timestamp');
  if (id === undefined || timestamp === undefined) {
    throw new VerificationError(
      'missing_headers',
      'The request lacks webhook-id or webhook-timestamp.',
    );
  }
  checkAge(timestamp, options);
  const candidates = signatures
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => fromBase64(each.slice(3)));
  const known = candidates.filter((each) => each !== undefined);
  if (known.length === 0) {
    throw new VerificationError(
      'bad_signature_format',
      'webhook-signature holds no signature of the form v1,<base64>.',
    );
  }
  const message = concat(encoder.encode(`${id}.${timestamp}.`), body);
  if (await anyMatches(secrets.map(standardKey), known, message))
    return { scheme: 'standard-webhooks', id };
  throw mismatch();
}

async function verifyMs(
  secrets: readonly string[],
  body: Uint8Array,
  header: string,
): Promise<Verified> {
  const hex = /^\s*sha256\s*=\s*([0-9a-f]{64})\s*$/i.exec(header)?.[1];
  if (hex === undefined) {
    throw new VerificationError(
      'bad_signature_format',
      "ms-signature is not of the form 'sha256=<hexadecimal>'.",
    );
  }
  const signature = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const keys = secrets.map((secret) => encoder.encode(secret));
  if (await anyMatches(keys, [signature], body)) return { scheme: 'ms-signature', id: undefined };
  throw mismatch();
}

function checkAge(
  timestamp: string,
  { toleranceSeconds = DEFAULT_TOLERANCE_SECONDS, now = Date.now }: VerifyOptions,
): void {
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new VerificationError('bad_timestamp', 'webhook-timestamp is not a number of seconds.');
  }
  const ageSeconds = now() / 1000 - Number(timestamp);
  if (ageSeconds > toleranceSeconds) {
    throw new VerificationError(
      'timestamp_too_old',
      `The request was signed ${Math.round(ageSeconds)} s ago; ${toleranceSeconds} s are allowed.`,
    );
  }
  if (ageSeconds < -toleranceSeconds) {
    throw new VerificationError(
      'timestamp_too_new',
      'The request was signed in the future. Check the clocks.',
    );
  }
}

type HmacKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Imported keys of the few secrets a receiver has: importing costs more than verifying. */
const imported = new Map<string, Promise<HmacKey>>();
const MAX_IMPORTED = 64;

function importKey(bytes: Uint8Array): Promise<HmacKey> {
  const name = bytes.join();
  let key = imported.get(name);
  if (key === undefined) {
    if (imported.size >= MAX_IMPORTED) imported.clear();
    key = crypto.subtle.importKey('raw', own(bytes), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'verify',
    ]);
    imported.set(name, key);
  }
  return key;
}

/** `crypto.subtle.verify` compares in constant time. */
async function anyMatches(
  keys: readonly Uint8Array[],
  signatures: readonly Uint8Array[],
  message: Uint8Array,
): Promise<boolean> {
  let matches = false;
  for (const bytes of keys) {
    const key = await importKey(bytes);
    for (const signature of signatures) {
      if (await crypto.subtle.verify('HMAC', key, own(signature), own(message))) matches = true;
    }
  }
  return matches;
}

/** The base64 after `whsec_`, else the text itself. */
function standardKey(secret: string): Uint8Array {
  const decoded = secret.startsWith('whsec_') ? fromBase64(secret.slice(6)) : undefined;
  return decoded ?? encoder.encode(secret);
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return bytes.length === 0 ? undefined : bytes;
  } catch {
    return undefined;
  }
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** A copy that no one else can change while it is being verified. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** A header sent twice is refused by being none. */
export function headerOf(headers: HeaderSource, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  const found = Object.entries(headers).filter(([each]) => each.toLowerCase() === name);
  const value = found.length === 1 ? found[0]?.[1] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function mismatch(): VerificationError {
  return new VerificationError(
    'signature_mismatch',
    'The signature does not fit the body and the secret.',
  );
}
