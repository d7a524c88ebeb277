import { mergeRows, type StatisticsRow } from '../../core/statistics.ts';
import { shardOf } from '../../core/shard.ts';
import { backlogOf } from '../backlog.ts';
import { COUNT_LIMIT } from '../port.ts';
import { integer, integerOrNull, text, textOrNull } from '../rows.ts';
import type { StatisticsQuery, StatisticsStore } from '../statistics-port.ts';
import { countsText, toStatisticsRow } from '../statistics-rows.ts';
import { layOut, ofTenants } from './lay-out.ts';
import { codeOf, type Database, NOT_TEXT, type Query, type Statement } from './database.ts';

/** Nodes add one after another, so that none writes over what another adds: rarely, and for milliseconds. */
const LOCK: Statement = {
  name: 'lock statistics',
  text: 'select pg_advisory_xact_lock(836500005)',
};

/** Held until the commit, so that a removal that begins meanwhile finds all that was written. */
const KNOWN: Statement = {
  name: 'tenants of statistics',
  text: `
select id
  from tenants
 where id = any($1::text[])
   and not removing
 order by id
   for share`,
};

const FIND: Statement = {
  name: 'find statistics',
  text: `
select s.*
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
    as k (tenant, registration_id, action, start, step_ms)
  join statistics s
 using (tenant, registration_id, action, start, step_ms)`,
};

const PUT: Statement = {
  name: 'put statistics',
  text: `
insert into statistics (tenant, registration_id, action, start, step_ms, counts)
select *
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
    on conflict (tenant, registration_id, action, start, step_ms) do update
   set counts = excluded.counts`,
};

const READ: Statement = {
  name: 'statistics',
  text: `
select *
  from statistics
 where tenant = $1
   and registration_id = $2
   and action = $3
   and start >= $4
   and start < $5
 order by start`,
};

/** The oldest first. */
const TAKE: Statement = {
  name: 'take statistics',
  text: `
with chosen as materialized (
  select tenant, registration_id, action, start, step_ms
    from statistics
   where step_ms = $1
     and start < $2
   order by start
   limit $3)
delete from statistics s
 using chosen c
 where s.tenant = c.tenant
   and s.registration_id = c.registration_id
   and s.action = c.action
   and s.start = c.start
   and s.step_ms = c.step_ms
returning s.*`,
};

/** Registration by registration, so that nothing is read but what is counted. */
function waiting(state: 0 | 3): string {
  return `
  (select count(*) as count, min(id) as oldest
     from (select d.id
             from registrations r
            cross join lateral (
                  select id
                    from deliveries
                   where state = ${state}
                     and shard = r.shard
                     and tenant = $1
                     and registration_id = r.id) d
            limit ${COUNT_LIMIT + 1}) w)`;
}

const BACKLOG: Statement = {
  name: 'backlog',
  text: `
with registrations as (
  select *
    from unnest($2::text[], $3::smallint[]) as r (id, shard))
select p.count as pending, p.oldest, h.count as held, f.due_at
  from ${waiting(0)} p
 cross join ${waiting(3)} h
 cross join (
       select min(d.due_at) as due_at
         from registrations r
        cross join lateral (
              select due_at
                from deliveries
               where state = 0
                 and shard = r.shard
                 and tenant = $1
                 and registration_id = r.id
                 and not behind
                 and leased = 0
               order by due_at, id
               limit 1) d) f`,
};

export function statisticsCalls(database: Database): StatisticsStore {
  return {
    addStatistics: (rows) => inTurn(database, (query) => add(query, rows)),
    statistics: (query) => read(database, query),
    mergeStatistics: ({ stepMs, intoMs, before, limit }) =>
      inTurn(database, async (query) => {
        const taken = await query(TAKE, [stepMs, before, limit]);
        await add(query, mergeRows(taken.map(toStatisticsRow), intoMs));
        return taken.length;
      }),
    pruneStatistics: async (stepMs, before, limit) =>
      (await database.query(TAKE, [stepMs, before, limit])).length,
    backlog: async (tenant, ids) => {
      const shards = ids.map((id) => shardOf({ tenant, id }));
      await layOut(database, ofTenants([tenant]));
      const [row = {}] = await database.query(BACKLOG, [tenant, ids, shards]);
      return backlogOf({
        pending: integer(row, 'pending'),
        oldestId: textOrNull(row, 'oldest'),
        held: integer(row, 'held'),
        firstDueAt: integerOrNull(row, 'due_at'),
      });
    },
  };
}

/** Nothing is kept by names that no column can hold. */
async function read(
  database: Database,
  { tenant, registrationId, action, from, to }: StatisticsQuery,
): Promise<readonly StatisticsRow[]> {
  try {
    const rows = await database.query(READ, [tenant, registrationId, action, from, to]);
    return rows.map(toStatisticsRow);
  } catch (error) {
    if (codeOf(error) === NOT_TEXT) return [];
    throw error;
  }
}

function inTurn<T>(database: Database, work: (query: Query) => Promise<T>): Promise<T> {
  return database.transaction(async (query) => {
    await query(LOCK);
    return work(query);
  });
}

async function add(query: Query, given: readonly StatisticsRow[]): Promise<void> {
  const tenants = await query(KNOWN, [[...new Set(given.map(({ tenant }) => tenant))]]);
  const known = new Set(tenants.map((row) => text(row, 'id')));
  const rows = mergeRows(given.filter(({ tenant }) => known.has(tenant)));
  if (rows.length === 0) return;
  const kept = await query(FIND, placesOf(rows));
  const sums = mergeRows([...rows, ...kept.map(toStatisticsRow)]);
  await query(PUT, [...placesOf(sums), sums.map(({ counts }) => countsText(counts))]);
}

function placesOf(rows: readonly StatisticsRow[]): unknown[][] {
  return [
    rows.map(({ tenant }) => tenant),
    rows.map(({ registrationId }) => registrationId),
    rows.map(({ action }) => action),
    rows.map(({ start }) => start),
    rows.map(({ stepMs }) => stepMs),
  ];
}
