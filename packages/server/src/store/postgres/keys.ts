import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { eventKeys, type SubjectPaths } from '../../core/subjects.ts';
import { parse, type Row, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';

/** Takes them out of the waiting: nodes that do so at once take different ones. */
const TAKE: Statement = {
  name: 'take unindexed',
  text: `
with few as materialized (
  select tenant, id
    from unindexed_events
   order by tenant, id
   limit $1
     for update skip locked),
taken as (
  delete from unindexed_events u
   using few f
   where u.tenant = f.tenant
     and u.id = f.id
  returning u.tenant, u.id)
select t.tenant, t.id, e.actions, e.payload
  from taken t
  left join events e
    on e.tenant = t.tenant
   and e.id = t.id`,
};

/** In the order of the index, so that neighbours are written one after the other. */
const NOTE: Statement = {
  name: 'note keys',
  text: `
insert into event_keys (tenant, key, event_id, picks)
select *
  from unnest($1::text[], $2::text[], $3::text[], $4::text[])
    as k (tenant, key, event_id, picks)
 order by tenant collate "C", key collate "C", event_id collate "C"`,
};

type Key = {
  readonly tenant: string;
  readonly key: string;
  readonly id: string;
  readonly picks: string | null;
};

/** Notes what the next events are found by. */
export async function index(
  database: Database,
  paths: SubjectPaths,
  limit: number,
): Promise<number> {
  return database.transaction(async (query) => {
    const rows = await query(TAKE, [limit]);
    if (rows.length === 0) return 0;
    const keys = rows.flatMap((row) => keysOf(row, paths));
    await query(NOTE, [
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
