import type { DatabaseSync } from 'node:sqlite';
import type { ApiKey } from '../../core/key.ts';
import type { Tenant } from '../../core/tenant.ts';
import { MOVED, type MovedKind, type MovedRow, namedRow, type NamedRow } from '../moving.ts';
import { plainSentence } from '../rows.ts';
import { type OutcomeNumber, outcomeNumbers } from './outcomes.ts';

const INSERT_TENANT = 'insert into tenants (id, name, created_at) values (?, ?, ?)';

const INSERT_API_KEY = `
insert into api_keys (tenant, id, level, name, hash, created_at, expires_at)
values (?, ?, ?, ?, ?, ?, ?)`;

const INSERT_REGISTRATION = 'insert into registrations (tenant, id, document) values (?, ?, ?)';

const INSERT_FILTER = 'insert into filters (name, document) values (?, ?)';

/** Behind those that are there, and behind every place in an order. */
const INSERT_EVENT = `
insert into events (seq, tenant, id, accepted_at, occurred_at, actions, payload)
values (coalesce((select max(seq) from events), ?) + 1, ?, ?, ?, ?, ?, ?)`;

const INSERT_DELIVERY = `
insert into deliveries (tenant, id, event_id, registration_id, state, attempts, step, due_at,
                        ended_at, reason, picks, order_keys, order_seq, outcome)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_ORDER_KEY = `
insert into order_keys (tenant, registration_id, key, seq, delivery_id)
values (?, ?, ?, ?, ?)`;

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
      ...documents(database),
      settings: asTheyAre(database, 'settings'),
      audit: asTheyAre(database, 'audit'),
      idempotency: asTheyAre(database, 'idempotency'),
      events: (rows) => {
        for (const row of rows) insertEvent.run(place, ...row);
      },
      deliveries: deliveries(database),
      attempts: (rows) => {
        for (const [, ...row] of rows) insertAttempt.run(...row);
      },
    },
  };
}

type DocumentKind = 'tenants' | 'api_keys' | 'registrations' | 'filters';

/** Few rows: statements are prepared when they come. */
function documents(database: DatabaseSync): Readonly<Record<DocumentKind, Load>> {
  const each =
    <T>(sql: string, valuesOf: (document: T, json: string) => MovedRow): Load =>
    (rows) => {
      const statement = database.prepare(sql);
      for (const [json = ''] of rows)
        statement.run(...valuesOf(JSON.parse(String(json)) as T, String(json)));
    };
  return {
    tenants: each<Tenant>(INSERT_TENANT, ({ id, name, createdAt }) => [id, name, createdAt]),
    api_keys: each<ApiKey>(INSERT_API_KEY, (key) => {
      const { tenant, id, level, name, hash, createdAt, expiresAt } = key;
      return [tenant, id, level, name, hash, createdAt, expiresAt];
    }),
    registrations: each<{ readonly tenant: string; readonly id: string }>(
      INSERT_REGISTRATION,
      ({ tenant, id }, json) => [tenant, id, json],
    ),
    filters: each<{ readonly name: string }>(INSERT_FILTER, ({ name }, json) => [name, json]),
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
  const numbersOfOutcomes = outcomeNumbers(database);
  return (rows) => {
    const numberOf = numbersOfOutcomes();
    for (const row of rows) {
      const delivery = namedRow('deliveries', row);
      insert.run(...row.slice(0, OWN_COLUMNS), outcomeOf(delivery, numberOf));
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
