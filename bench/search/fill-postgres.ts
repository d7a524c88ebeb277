import pg from 'pg';
import { shardOf } from '../../packages/server/src/core/shard.ts';
import { idAt } from '../../packages/server/src/core/id.ts';
import { Database } from '../../packages/server/src/store/postgres/database.ts';
import type { PostgresOptions } from '../../packages/server/src/store/postgres/open.ts';
import { createPartitionsOf, DAY_MS } from '../../packages/server/src/store/postgres/partitions.ts';
import { DAYS, type DeliveryRow, type EventRow, history, outcomes, TENANT } from './data.ts';

const EVENTS_AT_ONCE = 2000;

/** The same rows, in the tables of those that wait and those that ended, in partitions of days. */
export async function fillPostgres(options: PostgresOptions, count: number): Promise<void> {
  await createDays(options);
  const client = new pg.Client({ connectionString: options.url });
  await client.connect();
  await client.query('set synchronous_commit = off');
  const columns = columnsOf(outcomes().map((outcome, id) => [id, ...outcome]));
  await client.query(
    `insert into outcomes select '${TENANT}', * from unnest($1::bigint[], $2::text[], $3::int[], $4::text[])`,
    columns,
  );
  let events: EventRow[] = [];
  let deliveries: DeliveryRow[] = [];
  for (const made of history(count)) {
    events.push(made.event);
    deliveries.push(...made.deliveries);
    if (events.length < EVENTS_AT_ONCE && deliveries.length < count) continue;
    await write(client, events, deliveries);
    [events, deliveries] = [[], []];
  }
  if (events.length > 0) await write(client, events, deliveries);
  // As autovacuum leaves tables that have been there for a while.
  await client.query('vacuum analyze');
  await client.end();
}

/** The store makes partitions from today on: these rows are older. */
async function createDays(options: PostgresOptions): Promise<void> {
  const database = new Database(options);
  const days = Array.from({ length: DAYS + 1 }, (_, ago) => Date.now() - ago * DAY_MS);
  await createPartitionsOf(database, days.map(idAt));
  await database.close();
}

async function write(
  client: pg.Client,
  events: readonly EventRow[],
  deliveries: readonly DeliveryRow[],
): Promise<void> {
  await client.query(
    `with e as (select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[]) as e (id, at, actions, payload)),
     queued as (insert into unindexed_events select '${TENANT}', id, array[id] from e)
     insert into events (tenant, id, accepted_at, actions, payload) select '${TENANT}', id, at, actions, payload from e`,
    columnsOf(events),
  );
  const told = outcomes();
  const rows = deliveries.map((row) => {
    const [kind = null, status = null] = row[7] === null ? [] : (told[row[7]] ?? []);
    return [...row, kind, status, shardOf({ tenant: TENANT, id: row[2] })];
  });
  await client.query(
    `with d as (
       select * from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::int[], $11::smallint[])
           as d (id, event, registration, state, attempts, due, ended, outcome, class, status, shard)),
     ended as (
       insert into ended_deliveries (tenant, id, event_id, registration_id, state, attempts, ended_at, class, status, outcome_id)
       select '${TENANT}', id, event, registration, state, attempts, ended, class, status, outcome from d where ended is not null)
     insert into deliveries (tenant, id, event_id, registration_id, shard, state, attempts, due_at, class, status, outcome_id)
     select '${TENANT}', id, event, registration, shard, state, attempts, due, class, status, outcome from d where ended is null`,
    columnsOf(rows),
  );
}

function columnsOf(rows: readonly (readonly unknown[])[]): unknown[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column]));
}
