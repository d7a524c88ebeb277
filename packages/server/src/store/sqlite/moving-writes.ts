import type { DatabaseSync } from 'node:sqlite';
import { MOVED, type MovedKind, type MovedRow, namedRow, type NamedRow } from '../moving.ts';
import { plainSentence } from '../rows.ts';
import { writeDocuments } from './moving-documents.ts';
import { type OutcomeNumber, outcomeNumbers } from './outcomes.ts';

/** Behind those that are there, and behind every place in an order. */
const INSERT_EVENT = `
insert into events (seq, tenant, id, accepted_at, occurred_at, actions, payload, trace, erased)
values (coalesce((select max(seq) from events), ?) + 1, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_DELIVERY = `
insert into deliveries (tenant, id, event_id, registration_id, state, attempts, step, due_at,
                        ended_at, reason, picks, order_keys, order_seq, job_id,
                        replay_of, sequence, outcome)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_ORDER_KEY = `
insert into order_keys (tenant, registration_id, key, seq, delivery_id)
values (?, ?, ?, ?, ?)`;

const INSERT_NUMBER = `
insert into numbered_deliveries (sequence_id, sequence, delivery_id)
select id, ?, unhex(?)
  from sequences
 where tenant = ?
   and registration_id = ?`;

const INSERT_ATTEMPT = `
insert into attempts (delivery_id, number, started_at, duration_ms, record)
values (?, ?, ?, ?, ?)`;

type Load = (rows: readonly MovedRow[]) => void;

/** Writes moved rows, each kind in its way. */
export function movingWrites(database: DatabaseSync): {
  readonly keepPlaces: (lastPlace: number) => void;
  readonly load: Readonly<Record<MovedKind, Load>>;
} {
  const insertEvent = database.prepare(INSERT_EVENT);
  const insertAttempt = database.prepare(INSERT_ATTEMPT);
  let place = 0;
  return {
    keepPlaces: (lastPlace) => {
      place = lastPlace;
    },
    load: {
      tenants: (rows) => writeDocuments(database, 'tenants', rows),
      api_keys: (rows) => writeDocuments(database, 'api_keys', rows),
      registrations: (rows) => writeDocuments(database, 'registrations', rows),
      filters: (rows) => writeDocuments(database, 'filters', rows),
      streaks: asTheyAre(database, 'streaks'),
      settings: asTheyAre(database, 'settings'),
      audit: asTheyAre(database, 'audit'),
      jobs: asTheyAre(database, 'jobs'),
      sequences: asTheyAre(database, 'sequences'),
      statistics: asTheyAre(database, 'statistics'),
      idempotency: asTheyAre(database, 'idempotency'),
      events: (rows) => {
        for (const row of rows) insertEvent.run(place, ...row);
      },
      erasures: asTheyAre(database, 'erasures'),
      deliveries: deliveries(database),
      attempts: (rows) => {
        for (const [, ...row] of rows) insertAttempt.run(...row);
      },
    },
  };
}

/** Tables that have the columns of their kind. */
function asTheyAre(database: DatabaseSync, kind: MovedKind): Load {
  const columns = MOVED[kind];
  const insert = database.prepare(
    `insert or replace into ${kind} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
  );
  return (rows) => {
    for (const row of rows) insert.run(...row);
  };
}

/** The columns before class, status and sentence. */
const OWN_COLUMNS = MOVED.deliveries.length - 3;

function deliveries(database: DatabaseSync): Load {
  const insert = database.prepare(INSERT_DELIVERY);
  const insertKey = database.prepare(INSERT_ORDER_KEY);
  const insertNumber = database.prepare(INSERT_NUMBER);
  const numbersOfOutcomes = outcomeNumbers(database);
  return (rows) => {
    const numberOf = numbersOfOutcomes();
    for (const row of rows) {
      const delivery = namedRow('deliveries', row);
      insert.run(...row.slice(0, OWN_COLUMNS), outcomeOf(delivery, numberOf));
      const { tenant = null, id = null, registration_id: registrationId = null } = delivery;
      const { sequence = null } = delivery;
      if (sequence !== null) insertNumber.run(sequence, id, tenant, registrationId);
      for (const orderKey of orderKeysOf(delivery)) insertKey.run(...orderKey);
    }
  };
}

function outcomeOf(delivery: NamedRow, numberOf: OutcomeNumber): number | null {
  const { tenant = null, class: kind = null, status = null, sentence = null } = delivery;
  if (kind === null) return null;
  const plain = plainSentence(String(kind), typeof status === 'number' ? status : null);
  return numberOf(tenant, [kind, status, sentence ?? plain]);
}

function orderKeysOf(delivery: NamedRow): MovedRow[] {
  const { tenant = null, id = null, order_keys: keys = null, order_seq: place = null } = delivery;
  if (keys === null || delivery['ended_at'] !== null) return [];
  const registrationId = delivery['registration_id'] ?? null;
  return (JSON.parse(String(keys)) as readonly string[]).map((key) => [
    tenant,
    registrationId,
    key,
    place,
    id,
  ]);
}
