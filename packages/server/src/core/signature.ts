import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { partsOfTrace } from './trace.ts';

/** Secrets that begin so hold base64 of the key, as Standard Webhooks has it. */
export const STANDARD_SECRET_PREFIX = 'whsec_';

/**
 * ASP.NET WebHooks' signature: `sha256=` and the HMAC-SHA256 of the body in upper-case hexadecimal;
 * the key is the secret's UTF-8 text, whatever it looks like.
 */
export function msSignature(secret: string, body: Uint8Array): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex').toUpperCase()}`;
}

/** Standard Webhooks' symmetric signature of `id.timestamp.body`: `v1,` and base64. */
export function standardSignature(message: {
  readonly secret: string;
  readonly id: string;
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
}): string {
  const hmac = createHmac('sha256', standardKey(message.secret));
  hmac.update(`${message.id}.${message.timestampSeconds}.`).update(message.body);
  return `v1,${hmac.digest('base64')}`;
}

/** The bytes after `whsec_` where they are base64 of at least one, else the text itself. */
function standardKey(secret: string): string | KeyObject {
  if (!secret.startsWith(STANDARD_SECRET_PREFIX)) return secret;
  const encoded = secret.slice(STANDARD_SECRET_PREFIX.length);
  if (!/^[A-Za-z0-9+/]{2,}={0,2}$/.test(encoded)) return secret;
  // An HMAC takes five times as long with a Buffer for its key.
  return createSecretKey(encoded, 'base64');
}

export type SignedDelivery = {
  /** Signs `ms-signature`, which receivers verify by one secret. */
  readonly msSecret: string;
  /** Each of them signs `webhook-signature`; one is enough for a receiver. */
  readonly standardSecrets: readonly string[];
  readonly id: string;
  readonly sequence: number | null;
  /** Where the attempt belongs in a trace, as `traceOf` has it. */
  readonly trace?: string | undefined;
  /** Of this attempt, in seconds since 1970. */
  readonly timestampSeconds: number;
  readonly body: Uint8Array;
  /** The delivery that this one repeats. */
  readonly replayOf?: string | undefined;
  /** The registration's own headers, which come last. */
  readonly headers: readonly (readonly [name: string, value: string])[];
};

/** Everything a delivery sends in its head but `host`, `content-length` and `connection`, in order. */
export function deliveryHeaders(
  delivery: SignedDelivery,
): (readonly [name: string, value: string])[] {
  const { msSecret, standardSecrets, id, timestampSeconds, body, headers } = delivery;
  const { sequence, replayOf, trace } = delivery;
  const signatures = standardSecrets.map((secret) =>
    standardSignature({ secret, id, timestampSeconds, body }),
  );
  return [
    ['Content-Type', 'application/json; charset=utf-8'],
    ['ms-signature', msSignature(msSecret, body)],
    ['webhook-id', id],
    ['webhook-timestamp', String(timestampSeconds)],
    ['webhook-signature', signatures.join(' ')],
    ...(sequence === null ? [] : [['schoolbell-sequence', String(sequence)] as const]),
    ...(replayOf === undefined ? [] : [['webhook-replay', replayOf] as const]),
    ...(trace === undefined ? [] : traceHeaders(trace)),
    ...headers,
  ];
}

function traceHeaders(trace: string): (readonly [name: string, value: string])[] {
  const { traceparent, tracestate } = partsOfTrace(trace);
  const parent = ['traceparent', traceparent] as const;
  return tracestate === undefined ? [parent] : [parent, ['tracestate', tracestate]];
}
