import { createHash } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import type { Caller } from '../core/key.ts';
import type { AcceptAnswer, AcceptRequest, EventToAccept } from '../engine/acceptor.ts';
import type { Store } from '../store/port.ts';
import { readPage } from './page.ts';
import type { EventDraft, Events, PublishCall, Tenants } from './library.ts';

export type EventsDeps = {
  readonly store: Pick<Store, 'events' | 'event'>;
  readonly tenants: Pick<Tenants, 'list' | 'get'>;
  readonly accept: (request: AcceptRequest) => Promise<AcceptAnswer>;
};

/** Tenant of an event that goes to all of them; admins only. */
const ALL_TENANTS = '*';

/** Publishing, and reading what was published. */
export function createEvents(deps: EventsDeps): Events {
  return {
    publish: (caller, call) => publish(deps, caller, call),
    list: (query) => readPage(query, (asked) => deps.store.events(asked)),
    get: (tenant, id) => deps.store.event(tenant, id),
  };
}

/** With a call-wide key all events are one unit; otherwise each stands for itself. */
async function publish(
  deps: EventsDeps,
  caller: Caller,
  call: PublishCall,
): Promise<readonly string[]> {
  const events = call.events.map((draft) => toAccept(deps, caller, draft));
  if (call.idempotencyKey !== null) {
    const idempotency = { tenant: caller.tenant, key: call.idempotencyKey, hash: call.hash() };
    return receiptsOf(await deps.accept({ events, idempotency }), call.idempotencyKey);
  }
  if (call.events.every((draft) => draft.idempotencyKey === null)) {
    return receiptsOf(await deps.accept({ events, idempotency: null }), '');
  }
  const answers = await Promise.all(
    events.map((event, index) => acceptOne(deps, caller, event, call.events[index])),
  );
  return answers.flat();
}

async function acceptOne(
  deps: EventsDeps,
  caller: Caller,
  event: EventToAccept,
  draft: EventDraft | undefined,
): Promise<readonly string[]> {
  const key = draft?.idempotencyKey ?? null;
  const idempotency =
    key === null ? null : { tenant: caller.tenant, key, hash: contentHash(event) };
  return receiptsOf(await deps.accept({ events: [event], idempotency }), key ?? '');
}

function receiptsOf(answer: AcceptAnswer, key: string): readonly string[] {
  if (answer.kind === 'accepted') return answer.receipts;
  throw new AppError(
    'conflict',
    `The idempotency key '${key}' was used before with other content. Use a new key for a new event; other events of this call stand.`,
  );
}

function toAccept(deps: EventsDeps, caller: Caller, draft: EventDraft): EventToAccept {
  const tenants = tenantsOf(deps, caller, draft.tenant);
  return { tenants, notifications: draft.notifications, occurredAt: draft.occurredAt };
}

function tenantsOf(deps: EventsDeps, caller: Caller, asked: string | null): readonly string[] {
  if (asked === null || asked === caller.tenant) return [caller.tenant];
  if (caller.level !== 'Admin') {
    throw new AppError(
      'forbidden',
      `This key publishes for its own tenant only, not for '${asked}'.`,
    );
  }
  if (asked === ALL_TENANTS) return deps.tenants.list().map((tenant) => tenant.id);
  if (deps.tenants.get(asked) !== undefined) return [asked];
  throw new AppError('not_found', `There is no tenant '${asked}'.`);
}

/** Tells whether a repeated key comes with the same event. */
function contentHash(event: EventToAccept): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([event.tenants, event.occurredAt]));
  for (const notification of event.notifications) hash.update(`\u001e${notification.text}`);
  return hash.digest('hex');
}
