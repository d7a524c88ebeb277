import type { Id } from '../../core/id.ts';
import { shardOf } from '../../core/shard.ts';
import type { NewDelivery, Publication } from '../port.ts';
import { stateCode } from '../rows.ts';
import type { HandRow } from './in-hand.ts';

type Column = unknown[];
type KeyColumns = readonly [Column, Column, Column, Column, Column, Column];

export type Places = ReadonlyMap<string, number>;

/** Of idempotency keys. */
export function keyColumns(batch: readonly Publication[]): KeyColumns {
  const columns: KeyColumns = [[], [], [], [], [], []];
  batch.forEach(({ idempotency }, publication) => {
    if (idempotency === null) return;
    const { tenant, key, hash, answer, at } = idempotency;
    push(columns, [publication, tenant, storedKey(key), hash, answer, at]);
  });
  return columns;
}

/** Keys are any text, and no column can hold a NUL. */
export function storedKey(key: string): string {
  return JSON.stringify(key);
}

export function storedPicks(picks: NewDelivery['picks']): string | null {
  return picks === null ? null : JSON.stringify(picks);
}

/** Of the events, in order. */
export function tracesOf(batch: readonly Publication[]): (string | null)[] {
  return batch.flatMap(({ events }) => events.map(({ trace = null }) => trace));
}

export function eventColumns(batch: readonly Publication[]): Column[] {
  const columns: Column[] = [[], [], [], [], [], [], []];
  batch.forEach(({ events }, publication) => {
    for (const { tenant, id, acceptedAt, occurredAt, actions, payload } of events) {
      const stored = JSON.stringify(actions);
      push(columns, [publication, tenant, id, acceptedAt, occurredAt, stored, payload]);
    }
  });
  return columns;
}

/** With the place of each in its order, and the part of the batch that it shares a row with. */
export function deliveryColumns(
  batch: readonly Publication[],
  placeOf: Places,
  rowOf: ReadonlyMap<Id, HandRow>,
): Column[] {
  const columns: Column[] = Array.from({ length: 13 }, () => []);
  batch.forEach(({ events }, publication) => {
    for (const { tenant, id: eventId, acceptedAt, deliveries } of events) {
      for (const { id, registrationId, state, leased, picks, orderKeys } of deliveries) {
        const shard = shardOf({ tenant, id: registrationId });
        const dueAt = state === 'pending' ? acceptedAt : null;
        const part = rowOf.get(id)?.part ?? null;
        const picked = storedPicks(picks);
        const owner = [publication, tenant, id, eventId, registrationId, shard];
        const keys = orderKeys === null ? null : JSON.stringify(orderKeys);
        const order = [keys, placeOf.get(id) ?? null, leased];
        push(columns, [...owner, stateCode(state), part, dueAt, picked, ...order]);
      }
    }
  });
  return columns;
}

function push(columns: readonly Column[], values: readonly unknown[]): void {
  values.forEach((value, index) => columns[index]?.push(value));
}
