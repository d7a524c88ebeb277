import type { DatabaseSync } from 'node:sqlite';
import type { Acceptance } from '../port.ts';
import { DELIVERY_WIDTH, EVENT_WIDTH, type Flat, type Methods } from './protocol.ts';
import { keysUsed } from './keys-used.ts';
import type { Sequences } from './sequences.ts';
import { order } from './write-order.ts';

const INSERT_EVENT = `
insert into events (tenant, id, accepted_at, occurred_at, actions, payload, trace)
values (?, ?, ?, ?, ?, ?, ?)`;

const INSERT_DELIVERY = `
insert into deliveries (tenant, event_id, id, registration_id, state, leased, due_at, picks, order_keys,
                        order_seq, sequence)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_KEY = `
insert into idempotency (tenant, key, hash, answer, at)
values (?, ?, ?, ?, ?)`;

/** One publication as it crosses to the writer. */
export type FlatPublication = {
  /** tenant, id, accepted at, occurred at, actions, payload, trace, number of deliveries. */
  readonly events: Flat;
  /** id, registration, state, leased, due at, picks, order keys: those of the first event, then of the next. */
  readonly deliveries: Flat;
  /** tenant, key, hash, answer, at; or null. */
  readonly idempotency: Flat | null;
};

/** Writes events with their deliveries. */
export function acceptWrites(database: DatabaseSync, sequences: Sequences): Methods {
  const insertEvent = database.prepare(INSERT_EVENT);
  const insertDelivery = database.prepare(INSERT_DELIVERY);
  const earlier = keysUsed(database);
  const insertKey = database.prepare(INSERT_KEY);
  const { enrol } = order(database);

  function insert({ events, deliveries }: FlatPublication): number[] {
    const numbers: number[] = [];
    let d = 0;
    for (let e = 0; e < events.length; e += EVENT_WIDTH) {
      const [tenant = null, eventId = null] = events.slice(e, e + 2);
      const { lastInsertRowid } = insertEvent.run(...events.slice(e, e + EVENT_WIDTH - 1));
      for (
        const end = d + Number(events[e + EVENT_WIDTH - 1]) * DELIVERY_WIDTH;
        d < end;
        d += DELIVERY_WIDTH
      ) {
        const row = deliveries.slice(d, d + DELIVERY_WIDTH);
        const [deliveryId = null, registrationId = null] = row;
        const sequence = sequences.take(tenant, registrationId, deliveryId);
        const keys = row[DELIVERY_WIDTH - 1];
        const place = typeof keys === 'string' ? Number(lastInsertRowid) : null;
        insertDelivery.run(tenant, eventId, ...row, place, sequence);
        numbers.push(sequence);
        if (typeof keys !== 'string') continue;
        enrol({ tenant, registrationId, deliveryId, seq: Number(lastInsertRowid), keys });
      }
    }
    return numbers;
  }

  function acceptOne(publication: FlatPublication): Acceptance {
    const { idempotency } = publication;
    if (idempotency !== null) {
      const [tenant = null, key = null, hash = null] = idempotency;
      const known = earlier(tenant, key, hash);
      if (known !== undefined) return known;
      insertKey.run(...idempotency);
    }
    return { kind: 'accepted', numbers: insert(publication) };
  }

  return { accept: (batch: readonly FlatPublication[]) => batch.map(acceptOne) };
}
