import { type MadeAttempt, madeOf } from '../core/attempt.ts';
import type { Clock } from '../core/clock.ts';
import type { Delivery } from '../core/delivery.ts';
import { buildBody } from '../core/envelope.ts';
import { ERASED_RULE } from '../core/erasing.ts';
import { refuseKnownHeaders } from '../core/header-rules.ts';
import { hide, MASKED, sentSecrets } from '../core/mask.ts';
import type { Outcome } from '../core/outcome.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import { signingAt } from '../core/secrets.ts';
import { deliveryHeaders } from '../core/signature.ts';
import type { Egress, OutboundRequest } from '../egress/port.ts';

export type SendingDeps = {
  readonly egress: Pick<Egress, 'send'>;
  readonly clock: Clock;
  /** Receivers hold the time in a signature against their own; `clock` where absent. */
  readonly signingClock?: Clock;
};

/** What of a delivery goes into an attempt. */
export type Outgoing = Pick<
  Delivery,
  'id' | 'notifications' | 'attempts' | 'sequence' | 'replayOf' | 'trace'
>;

/** Makes one attempt: builds and signs the body, sends it, and records what came of it. Never rejects. */
export async function makeAttempt(
  deps: SendingDeps,
  registration: Registration,
  delivery: Outgoing,
): Promise<MadeAttempt> {
  const number = delivery.attempts + 1;
  const startedAt = deps.clock.now();
  const body = buildBody({
    id: delivery.id,
    attempt: number,
    properties: registration.properties,
    notifications: delivery.notifications,
  });
  const signing = signingAt(registration, startedAt);
  const headers = deliveryHeaders({
    msSecret: signing.ms.secret,
    standardSecrets: signing.standard.map(({ secret }) => secret),
    id: delivery.id,
    sequence: delivery.sequence,
    trace: delivery.trace,
    timestampSeconds: Math.floor((deps.signingClock ?? deps.clock).now() / 1000),
    body,
    replayOf: delivery.replayOf,
    headers: registration.headers,
  });
  const isEmpty = delivery.notifications.length === 0;
  const outcome: Outcome = isEmpty
    ? { kind: 'blocked', rule: ERASED_RULE }
    : hideReflected(registration, await send(deps.egress, registration, { headers, body }));
  const durationMs = deps.clock.now() - startedAt;
  const requestHeaders = masked(headers, registration.headers.length);
  const signedBy = { ms: signing.ms.id, standard: signing.standard.map(({ id }) => id) };
  const { id: deliveryId } = delivery;
  return madeOf({ deliveryId, number, startedAt, durationMs, outcome, requestHeaders, signedBy });
}

/** The rules for headers hold for what stands in the store too, whoever wrote it there. */
function send(
  egress: SendingDeps['egress'],
  registration: Registration,
  request: Pick<OutboundRequest, 'headers' | 'body'>,
): Promise<Outcome> {
  if (refuseKnownHeaders(registration.headers) !== undefined)
    return Promise.resolve({ kind: 'blocked', rule: 'headers' });
  const { webHookUri: uri } = registration;
  return egress.send({ ...request, method: 'POST', uri, pool: registrationKey(registration) });
}

/** Made once for a registration as it is. */
const secretsOf = new WeakMap<Registration, readonly string[]>();

/** Some receivers give back what they were sent; what is recorded holds no credential all the same. */
function hideReflected(registration: Registration, outcome: Outcome): Outcome {
  if (outcome.kind !== 'response') return outcome;
  let secrets = secretsOf.get(registration);
  if (secrets === undefined) {
    secrets = sentSecrets(registration.webHookUri, registration.headers);
    secretsOf.set(registration, secrets);
  }
  if (secrets.length === 0) return outcome;
  const { headers, body, ...rest } = outcome.response;
  const hidden = {
    ...rest,
    headers: headers.map(([name, value]) => [name, hide(value, secrets)] as const),
    body: hide(body, secrets),
  };
  return { ...outcome, response: hidden };
}

/** A registration's own header values may be credentials; they come last and are never recorded. */
function masked(
  headers: readonly (readonly [string, string])[],
  ownHeaders: number,
): readonly (readonly [string, string])[] {
  if (ownHeaders === 0) return headers;
  const firstOwn = headers.length - ownHeaders;
  return headers.map((header, index) => (index < firstOwn ? header : [header[0], MASKED]));
}
