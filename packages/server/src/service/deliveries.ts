import { type AuditEntry, auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Id } from '../core/id.ts';
import { heldReason, isActive, type RegistrationRef } from '../core/registration.ts';
import type { DeliveryRow, Store } from '../store/port.ts';
import type { Waiting } from '../engine/waiting.ts';
import { type Indexer, indexFor } from './indexer.ts';
import { readPage } from './page.ts';
import { historiesOf } from './histories.ts';
import type { Deliveries, DeliveryStory, Registrations } from './library.ts';
import type { Privacy } from './privacy.ts';

export type DeliveriesDeps = {
  readonly store: Pick<
    Store,
    'deliveries' | 'countDeliveries' | 'delivery' | 'event' | 'retry' | 'cancel'
  >;
  readonly privacy: Pick<Privacy, 'concerns' | 'maskAnswers'>;
  readonly index: Pick<Indexer, 'caughtUp'>;
  readonly clock: Clock;
  readonly registrations: Pick<Registrations, 'get'>;
  readonly engine: {
    readonly wake: (ref: RegistrationRef) => void;
    readonly drop: (ref: RegistrationRef, deliveryId: Id) => void;
    readonly isSending: (id: Id) => boolean;
    readonly waiting: Pick<Waiting, 'moved'>;
  };
};

/** The delivery log, and what people do with a delivery. */
export function createDeliveries(deps: DeliveriesDeps): Deliveries {
  const { store, clock, engine, registrations } = deps;
  return {
    list: async (query) => {
      await indexFor(deps.index, query);
      const { items, next } = await readPage(query, (asked) => store.deliveries(asked));
      return { items: items.map((row) => withReason(registrations, row)), next };
    },
    count: async (query) => {
      await indexFor(deps.index, query);
      return store.countDeliveries(query);
    },
    get: async (tenant, id) => {
      const found = await store.delivery(tenant, id);
      if (found === undefined) return undefined;
      const registration = registrations.get(tenant, found.row.registrationId);
      const row = withReason(registrations, found.row);
      const attempts = await masked(deps, found);
      return { row, attempts, histories: await historiesOf(store, found, registration) };
    },
    retry: async (tenant, id, by = SERVICE) => {
      const found = await store.delivery(tenant, id);
      if (found === undefined) return false;
      refuseErased(found.row);
      refuseWhileSending(deps, id);
      engine.drop(ownerOf(found.row), id);
      const now = clock.now();
      if (await store.retry(tenant, id, now, noteOf(now, by, found.row, 'pending')))
        engine.waiting.moved(tenant, found.row.state, 'pending');
      engine.wake(ownerOf(found.row));
      return true;
    },
    cancel: async (tenant, id, by = SERVICE) => {
      const found = await store.delivery(tenant, id);
      if (found === undefined) return false;
      refuseWhileSending(deps, id);
      engine.drop(ownerOf(found.row), id);
      const now = clock.now();
      const note = noteOf(now, by, found.row, 'cancelled');
      if (!(await store.cancel(tenant, id, now, note)))
        throw new AppError('conflict', `The delivery ${id} has ended: it is ${found.row.state}.`);
      engine.waiting.moved(tenant, found.row.state, 'cancelled');
      // Others may have waited for it.
      engine.wake(ownerOf(found.row));
      return true;
    },
  };
}

type Found = Pick<DeliveryStory, 'row' | 'attempts'>;

async function masked(
  { store, privacy }: DeliveriesDeps,
  { row, attempts }: Found,
): Promise<DeliveryStory['attempts']> {
  if (!privacy.concerns(row.actions)) return attempts;
  const event = await store.event(row.tenant, row.eventId);
  return event === undefined ? attempts : privacy.maskAnswers(event, attempts);
}

function noteOf(
  now: number,
  by: Origin,
  row: DeliveryRow,
  to: 'pending' | 'cancelled',
): AuditEntry {
  return auditEntry(now, by, {
    tenant: row.tenant,
    what: to === 'pending' ? 'delivery sent again' : 'delivery cancelled',
    target: row.id,
    before: { State: row.state },
    after: { State: to },
  });
}

/** What was accepted for a registration that was off already is held for its registration's reason. */
function withReason(registrations: Pick<Registrations, 'get'>, row: DeliveryRow): DeliveryRow {
  if (row.state !== 'held' || row.reason !== null) return row;
  const registration = registrations.get(row.tenant, row.registrationId);
  if (registration === undefined || isActive(registration)) return row;
  return { ...row, reason: heldReason(registration) };
}

function ownerOf({ tenant, registrationId }: DeliveryRow): RegistrationRef {
  return { tenant, id: registrationId };
}

function refuseErased({ id, erased, actions }: DeliveryRow): void {
  if (erased < actions.length) return;
  throw new AppError(
    'conflict',
    `What the delivery ${id} carried was erased: there is nothing to send.`,
  );
}

function refuseWhileSending({ engine }: DeliveriesDeps, id: Id): void {
  if (!engine.isSending(id)) return;
  throw new AppError(
    'conflict',
    `The delivery ${id} is being sent at this moment. Try again in a few seconds.`,
  );
}
