import { createHash } from 'node:crypto';
import { AppError } from '../core/errors.ts';
import type { Caller } from '../core/key.ts';
import { whyMissed } from '../core/missed.ts';
import type { AcceptAnswer, AcceptRequest } from '../engine/acceptor.ts';
import type { EventToAccept } from '../engine/matching.ts';
import type { OverQuota } from '../engine/waiting.ts';
import type { EventRow, Store } from '../store/port.ts';
import { type Indexer, indexFor } from './indexer.ts';
import { readLargePage } from './page.ts';
import type { Privacy } from './privacy.ts';
import type {
  EventDraft,
  Events,
  MissedRegistration,
  PublishCall,
  Registrations,
  Tenants,
} from './library.ts';

export type EventsDeps = {
  readonly store: Pick<Store, 'events' | 'countEvents' | 'event' | 'deliveries'>;
  readonly registrations: Pick<Registrations, 'list'>;
  readonly index: Pick<Indexer, 'caughtUp' | 'poke'>;
  readonly tenants: Pick<Tenants, 'list' | 'get'>;
  readonly privacy: Pick<Privacy, 'mask'>;
  readonly accept: (request: AcceptRequest) => Promise<AcceptAnswer>;
};

/** Tenant of an event that goes to all of them; admins only. */
const ALL_TENANTS = '*';

/** Publishing, and reading what was published. */
export function createEvents(deps: EventsDeps): Events {
  return {
    publish: async (caller, call) => {
      const receipts = await publish(deps, caller, call);
      deps.index.poke();
      return receipts;
    },
    list: async (query) => {
      await indexFor(deps.index, query);
      const page = await readLargePage(
        query,
        (asked) => deps.store.events(asked),
        ({ notifications }) => notifications.reduce((sum, text) => sum + text.length, 0),
      );
      return { ...page, items: page.items.map(deps.privacy.mask) };
    },
    count: async (query) => {
      await indexFor(deps.index, query);
      return deps.store.countEvents(query);
    },
    missed: (event) => missed(deps, event),
    get: async (tenant, id) => {
      const event = await deps.store.event(tenant, id);
      return event === undefined ? undefined : deps.privacy.mask(event);
    },
  };
}

/** Deliveries read at once, of which only the registration matters. */
const DELIVERIES_READ = 1000;

async function missed(
  { store, registrations }: EventsDeps,
  event: EventRow,
): Promise<readonly MissedRegistration[]> {
  const reached = new Set<string>();
  const query = { tenant: event.tenant, eventId: event.id, limit: DELIVERIES_READ };
  let page = await store.deliveries(query);
  for (;;) {
    for (const { registrationId } of page) reached.add(registrationId);
    const last = page.at(-1);
    if (last === undefined || page.length < DELIVERIES_READ) break;
    page = await store.deliveries({ ...query, before: last.id });
  }
  // Conditions are about what was published, also where that is not shown.
  const whole = (await store.event(event.tenant, event.id)) ?? event;
  return registrations
    .list(event.tenant)
    .filter(({ id }) => !reached.has(id))
    .map((registration) => ({ registration, ...whyMissed(registration, whole) }));
}

/** With a call-wide key all events are one unit; otherwise each stands for itself. */
async function publish(
  deps: EventsDeps,
  caller: Caller,
  call: PublishCall,
): Promise<readonly string[]> {
  const events = call.events.map((draft) => toAccept(deps, caller, { draft, ...tracedBy(call) }));
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
  if (answer.kind === 'over quota') throw overQuota(answer);
  throw new AppError(
    'conflict',
    `The idempotency key '${key}' was used before with other content. Use a new key for a new event; other events of this call stand.`,
  );
}

/** Seconds after which it may be otherwise: endpoints that answer take much in that time. */
const RETRY_OVER_QUOTA_AFTER = 10;

function overQuota({ tenant, waiting, quota }: OverQuota): AppError {
  return new AppError(
    'too_many_requests',
    `The tenant '${tenant}' has ${waiting} deliveries waiting, pending or held, and may have ${quota}. Nothing more is accepted before some have arrived, ended or been cancelled.`,
    { retryAfterSeconds: RETRY_OVER_QUOTA_AFTER },
  );
}

function tracedBy({ trace }: PublishCall): Pick<EventToAccept, 'trace'> {
  return trace === undefined ? {} : { trace };
}

function toAccept(
  deps: EventsDeps,
  caller: Caller,
  { draft, ...traced }: { readonly draft: EventDraft; readonly trace?: string },
): EventToAccept {
  const tenants = tenantsOf(deps, caller, draft.tenant);
  const { notifications, occurredAt } = draft;
  const isExempt = draft.tenant === ALL_TENANTS;
  return { tenants, notifications, occurredAt, isExempt, ...traced };
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
