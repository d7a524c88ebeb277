import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { eventKeys, type SubjectPaths } from '../../core/subjects.ts';
import { parse, type Row, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';

const NEXT: Statement = {
  name: 'unindexed events',
  text: `
select u.tenant, u.id, e.actions, e.payload
  from (
       select tenant, id
         from unindexed_events
        order by tenant, id
        limit $1
          for update skip locked) u
  left join events e
    on e.tenant = u.tenant
   and e.id = u.id`,
};

const NOTE: Statement = {
  name: 'note keys',
  text: `
with done as (
  delete from unindexed_events u
   using unnest($1::text[], $2::text[]) as d (tenant, id)
   where u.tenant = d.tenant
     and u.id = d.id)
insert into event_keys (tenant, key, event_id, picks)
select *
  from unnest($3::text[], $4::text[], $5::text[], $6::text[])
    on conflict do nothing`,
};

type Key = {
  readonly tenant: string;
  readonly key: string;
  readonly id: string;
  readonly picks: string | null;
};

/** Notes what the next events are found by; nodes that do so at once take different ones. */
export async function index(
  database: Database,
  paths: SubjectPaths,
  limit: number,
): Promise<number> {
  return database.transaction(async (query) => {
    const rows = await query(NEXT, [limit]);
    if (rows.length === 0) return 0;
    const keys = rows.flatMap((row) => keysOf(row, paths));
    await query(NOTE, [
      rows.map((row) => text(row, 'tenant')),
      rows.map((row) => text(row, 'id')),
      keys.map(({ tenant }) => tenant),
      keys.map(({ key }) => key),
      keys.map(({ id }) => id),
      keys.map(({ picks }) => picks),
    ]);
    return rows.length;
  });
}

/** None of an event that was removed meanwhile. */
function keysOf(row: Row, paths: SubjectPaths): Key[] {
  if (row['payload'] === null) return [];
  const [tenant, id] = [text(row, 'tenant'), text(row, 'id')];
  const notifications = text(row, 'payload').split(NOTIFICATION_SEPARATOR);
  return eventKeys(paths, parse<string[]>(row, 'actions'), notifications)
    .filter(([key]) => isText(key))
    .map(([key, picks]) => ({
      tenant,
      key,
      id,
      picks: picks === null ? null : JSON.stringify(picks),
    }));
}

/** No column can hold a NUL or half a character; nobody is called so. */
export function isText(key: string): boolean {
  return !key.includes('\u0000') && key.isWellFormed();
}
