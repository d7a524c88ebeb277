import type { DatabaseSync } from 'node:sqlite';
import { addCounts, mergeRows, type StatisticsRow } from '../../core/statistics.ts';
import { COUNT_LIMIT } from '../port.ts';
import type { StatisticsQuery, TenantBacklog } from '../statistics-port.ts';
import { integer, integerOrNull, textOrNull } from '../rows.ts';
import { backlogOf } from '../backlog.ts';
import { countsText, toStatisticsRow } from '../statistics-rows.ts';
import type { Methods } from './protocol.ts';

const FIND = `
select *
  from statistics
 where tenant = ?
   and registration_id = ?
   and action = ?
   and start = ?
   and step_ms = ?`;

const PUT = `
insert into statistics (tenant, registration_id, action, start, step_ms, counts)
select ?1, ?2, ?3, ?4, ?5, ?6
 where exists (select 1 from tenants where id = ?1)
    on conflict do update
   set counts = excluded.counts`;

const READ = `
select *
  from statistics
 where tenant = ?
   and registration_id = ?
   and action = ?
   and start >= ?
   and start < ?
 order by start`;

/** The oldest first. */
const TAKE = `
delete from statistics
 where (tenant, registration_id, action, start, step_ms) in (
       select tenant, registration_id, action, start, step_ms
         from statistics indexed by statistics_by_age
        where step_ms = ?
          and start < ?
        order by start
        limit ?)
returning *`;

/** Registration by registration, so that nothing is read but what is counted. */
function waiting(state: 0 | 3, index: 'deliveries_pending' | 'deliveries_held'): string {
  return `
select count(*) as count, min(id) as oldest
  from (select d.id
          from json_each(?2) r
         cross join deliveries d indexed by ${index}
         where d.tenant = ?1
           and d.registration_id = r.value
           and d.state = ${state}
         limit ${COUNT_LIMIT + 1})`;
}

const FIRST_DUE = `
select min((select min(due_at)
              from deliveries
             where state = 0
               and tenant = ?1
               and registration_id = r.value
               and leased = 0)) as due_at
  from json_each(?2) r`;

/** Adds up, merges and forgets statistics. */
export function statisticsWrites(database: DatabaseSync): Methods {
  const find = database.prepare(FIND);
  const put = database.prepare(PUT);
  const take = database.prepare(TAKE);

  function add(rows: readonly StatisticsRow[]): void {
    for (const { tenant, registrationId, action, start, stepMs, counts } of rows) {
      const place = [tenant, registrationId, action, start, stepMs] as const;
      const kept = find.get(...place);
      if (kept !== undefined) addCounts(counts, toStatisticsRow(kept).counts);
      put.run(...place, countsText(counts));
    }
  }

  return {
    addStatistics: add,
    mergeStatistics: (stepMs: number, intoMs: number, before: number, limit: number) => {
      const taken = take.all(stepMs, before, limit).map(toStatisticsRow);
      add(mergeRows(taken, intoMs));
      return taken.length;
    },
    pruneStatistics: (stepMs: number, before: number, limit: number) =>
      take.all(stepMs, before, limit).length,
  };
}

export function statisticsReads(database: DatabaseSync): Methods {
  const pendingOf = database.prepare(waiting(0, 'deliveries_pending'));
  const heldOf = database.prepare(waiting(3, 'deliveries_held'));
  const firstDue = database.prepare(FIRST_DUE);
  return {
    statistics: ({ tenant, registrationId, action, from, to }: StatisticsQuery) =>
      database.prepare(READ).all(tenant, registrationId, action, from, to).map(toStatisticsRow),
    backlog: (tenant: string, registrationIds: readonly string[]): TenantBacklog => {
      const asked = [tenant, JSON.stringify(registrationIds)] as const;
      const pending = pendingOf.get(...asked) ?? {};
      return backlogOf({
        pending: integer(pending, 'count'),
        oldestId: textOrNull(pending, 'oldest'),
        held: integer(heldOf.get(...asked) ?? {}, 'count'),
        firstDueAt: integerOrNull(firstDue.get(...asked) ?? {}, 'due_at'),
      });
    },
  };
}
