import { type Id, idAt, newId } from '../../core/id.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { Registration } from '../../core/registration.ts';
import { attemptOf } from '../../core/testing/attempt.ts';
import type { NewDelivery, NewEvent, NextState, Settlement } from '../port.ts';

export const DAY_MS = 86_400_000;
export const NOW = Date.UTC(2026, 8, 1);
export const DELIVERED: NextState = { state: 'delivered', reason: null };
export const OK: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [['x', 'y']], body: 'ok', truncated: false },
};

let tenants = 0;

/** Tests share a store and have tenants of their own. */
export function freshTenant(): string {
  tenants += 1;
  return `tenant${tenants}`;
}

/** An id of that time. Those that `newId` makes never go back, whatever time a test gives it. */
export function idOf(at: number): Id {
  return idAt(at) + newId(0).slice(12);
}

/** A pending delivery, but for `rest`. */
export function delivery(registrationId: Id, rest: Partial<NewDelivery> = {}): NewDelivery {
  return {
    id: newId(NOW),
    registrationId,
    state: 'pending',
    leased: false,
    picks: null,
    orderKeys: null,
    ...rest,
  };
}

/** An event of one small notification, but for `rest`. */
export function event(
  tenant: string,
  deliveries: readonly NewDelivery[],
  rest: Partial<NewEvent> = {},
): NewEvent {
  return {
    id: newId(NOW),
    tenant,
    acceptedAt: NOW,
    occurredAt: null,
    payload: '{"Action":"A"}',
    actions: ['A'],
    deliveries,
    ...rest,
  };
}

/** An attempt that was answered with 200, and what follows from it. */
export function settlement(
  tenant: string,
  deliveryId: Id,
  next: NextState,
  number = 1,
): Settlement {
  const attempt = attemptOf({
    deliveryId,
    number,
    startedAt: NOW + 5,
    durationMs: 7,
    outcome: OK,
    requestHeaders: [['a', 'b']],
  });
  return { tenant, deliveryId, next, ordered: false, attempt };
}

/** With what is hard to keep: odd characters, a number whose text counts. */
export function registration(tenant: string, id: Id): Registration {
  return {
    id,
    tenant,
    webHookUri: 'https://receiver.example/',
    secret: 's',
    description: 'odd: \u0000 \ud800 "',
    isPaused: false,
    filters: ['*'],
    headers: [['X-A', '1']],
    properties: '{"n":1.0}',
    createdAt: NOW,
    updatedAt: NOW,
    secretId: '#1',
    secretChangedAt: null,
    oldSecrets: [],
    conditions: null,
    switchedOff: null,
  };
}
