import { idAt, idTime } from '../../core/id.ts';
import { integer, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { ANY_STATE } from './rows-of-deliveries.ts';

export const DAY_MS = 86_400_000;
/** Days that have their partitions before they begin. */
const DAYS_AHEAD = 3;
/** Whoever creates or drops partitions waits no longer than this for others, who wait behind it. */
const LOCK_TIMEOUT = "set local lock_timeout = '2s'";
/** Names the lock that keeps two nodes from changing partitions at once; any number that stays the same. */
const LOCK = 836_500_002;

const TABLES = ['events', 'event_keys', 'ended_deliveries', 'attempts'] as const;

const EXISTING: Statement = {
  name: 'partitions',
  text: `
select substr(c.relname, 8)::bigint as day
  from pg_inherits i
  join pg_class c
    on c.oid = i.inhrelid
 where i.inhparent = 'events'::regclass
   and c.relname ~ '^events_\\d+$'
 order by 1`,
};

const TAKE_TURN: Statement = {
  name: 'partition turn',
  text: 'select pg_try_advisory_xact_lock($1) as mine',
};

/** Makes the partitions of today and the next days, as far as there are none. */
export async function createPartitions(database: Database, now: number): Promise<void> {
  const today = Math.floor(now / DAY_MS);
  await createDays(
    database,
    Array.from({ length: DAYS_AHEAD + 1 }, (_, ahead) => today + ahead),
  );
}

/** Days further back have no partitions: nobody keeps things for so long. */
const DAYS_BACK = 3650;

/** Makes the partitions of the days in which these ids were made, for a store that is filled from elsewhere. */
export async function createPartitionsOf(
  database: Database,
  ids: readonly string[],
): Promise<void> {
  const today = Math.floor(Date.now() / DAY_MS);
  const days = new Set(ids.map((id) => Math.floor(idTime(id) / DAY_MS)));
  await createDays(
    database,
    [...days].filter((day) => day > today - DAYS_BACK && day < today),
  );
}

async function createDays(database: Database, wanted: readonly number[]): Promise<void> {
  const existing = await daysOf(database.query.bind(database));
  for (const day of wanted.filter((each) => !existing.includes(each))) {
    await inTurn(database, async (query) => {
      if ((await daysOf(query)).includes(day)) return;
      for (const table of TABLES) await run(query, create(table, day));
    });
  }
}

/**
 * Drops the oldest day if nothing is younger that could need it: what ended later, or still waits,
 * is moved out of the way before. False when there is no such day.
 */
export async function dropOldestDay(database: Database, before: number): Promise<boolean> {
  const [oldest] = await daysOf(database.query.bind(database));
  // A day more, so that few are left that ended after `before`.
  if (oldest === undefined || (oldest + 2) * DAY_MS > before) return false;
  const dropped = await inTurn(database, async (query) => {
    const [day] = await daysOf(query);
    if (day !== oldest) return;
    for (const table of TABLES) {
      await run(query, `alter table ${table} detach partition ${table}_${day}`);
    }
    for (const sql of keepNeeded(day, before)) await run(query, sql);
    for (const table of TABLES) await run(query, `drop table ${table}_${day}`);
  });
  return dropped;
}

/** Moves what is still needed to where rows of no day lie. */
function keepNeeded(day: number, before: number): string[] {
  const [from, to] = [idAt(day * DAY_MS), idAt((day + 1) * DAY_MS)];
  return [
    `create temporary table needed on commit drop as
     select tenant, id, event_id from deliveries
      where ${ANY_STATE} and event_id >= '${from}' and event_id < '${to}'
      union all
     select tenant, id, event_id from ended_deliveries_${day} where ended_at >= ${before}
      union all
     select tenant, id, event_id from ended_deliveries
      where event_id >= '${from}' and event_id < '${to}' and job_id is not null`,
    'create index on needed (tenant, event_id)',
    'create index on needed (tenant, id)',
    `insert into ended_deliveries
     select e.* from ended_deliveries_${day} e where e.ended_at >= ${before}`,
    `insert into events
     select e.* from events_${day} e
      where exists (select from needed n where n.tenant = e.tenant and n.event_id = e.id)`,
    `insert into event_keys
     select k.* from event_keys_${day} k
      where exists (select from needed n where n.tenant = k.tenant and n.event_id = k.event_id)`,
    `update unindexed_events u
        set ids = array(
            select i.id from unnest(u.ids) as i (id)
             where i.id < '${from}' or i.id >= '${to}'
                or exists (select from needed n where n.tenant = u.tenant and n.event_id = i.id))
      where u.id < '${to}' and u.ids[cardinality(u.ids)] >= '${from}'`,
    `insert into attempts
     select a.* from attempts_${day} a
      where exists (select from needed n where n.tenant = a.tenant and n.id = a.delivery_id)`,
  ];
}

/** False when another node is at it. */
async function inTurn(database: Database, work: (query: Query) => Promise<void>): Promise<boolean> {
  return database.transaction(async (query) => {
    await run(query, LOCK_TIMEOUT);
    const [row] = await query(TAKE_TURN, [LOCK]);
    if (row?.['mine'] !== true) return false;
    await work(query);
    return true;
  });
}

async function daysOf(query: Query): Promise<number[]> {
  return (await query(EXISTING)).map((row) => integer(row, 'day'));
}

function create(table: string, day: number): string {
  const [from, to] = [idAt(day * DAY_MS), idAt((day + 1) * DAY_MS)];
  return `create table ${table}_${day} partition of ${table} for values from ('${from}') to ('${to}')`;
}

/** A statement that is run once: it has no name. */
async function run(query: Query, sql: string): Promise<void> {
  await query({ name: '', text: sql });
}

const PRUNE_OTHER: Statement = {
  name: 'prune other',
  text: `
with old as (
  select tenant, id, event_id
    from ended_deliveries_other
   where ended_at < $1
   limit $2),
gone as (
  delete from ended_deliveries_other e
   using old o
   where e.tenant = o.tenant
     and e.id = o.id
  returning e.tenant, e.id),
attempts_gone as (
  delete from attempts a
   using gone g
   where a.tenant = g.tenant
     and a.delivery_id = g.id)
select tenant, id
  from gone`,
};

/** Events of no day that are old and that no delivery needs any more. */
const PRUNE_OTHER_EVENTS: Statement = {
  name: 'prune other events',
  text: `
with old as (
  select e.tenant, e.id
    from events_other e
   where e.accepted_at < $1
     and not exists (select from deliveries d where d.${ANY_STATE} and d.tenant = e.tenant and d.event_id = e.id)
     and not exists (select from ended_deliveries d where d.tenant = e.tenant and d.event_id = e.id)
   limit $2),
keys_gone as (
  delete from event_keys_other k
   using old o
   where k.tenant = o.tenant
     and k.event_id = o.id)
delete from events_other e
 using old o
 where e.tenant = o.tenant
   and e.id = o.id
returning e.id`,
};

/** Rows that lie outside of the partitions of days are few; they go one by one. How many deliveries went. */
export async function pruneOther(
  database: Database,
  before: number,
  limit: number,
): Promise<number> {
  const gone = await database.query(PRUNE_OTHER, [before, limit]);
  const events = await database.query(PRUNE_OTHER_EVENTS, [before, limit]);
  return events.length === limit ? limit : gone.map((row) => text(row, 'id')).length;
}

const PRUNE_KEYS: Statement = {
  name: 'prune keys',
  text: `
with old as (
  select tenant, key
    from idempotency
   where at < $1
   limit $2)
delete from idempotency i
 using old o
 where i.tenant = o.tenant
   and i.key = o.key
returning 1`,
};

export async function pruneIdempotency(
  database: Database,
  before: number,
  limit: number,
): Promise<number> {
  return (await database.query(PRUNE_KEYS, [before, limit])).length;
}
