import { type Id, idAt } from '../../core/id.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { ERASED } from '../../core/erasing.ts';
import { actionKey, possibleKeys } from '../../core/subjects.ts';
import type { PrunedSome, PruneSome } from '../port.ts';
import { parse, type Row, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { isText } from './keys.ts';
import { ANY_STATE } from './rows-of-deliveries.ts';

const OLD_OF_TENANT: Statement = {
  name: 'old of tenant',
  text: `
select id
  from events
 where tenant = $1
   and id > $2
   and id < $3
 order by id
 limit $4`,
};

const OLD_WITH_KEY: Statement = {
  name: 'old with key',
  text: `
select event_id as id
  from event_keys
 where tenant = $1
   and event_id > $2
   and event_id < $3
   and key = $5
 order by event_id
 limit $4`,
};

/** A delivery is younger than its event. */
const REMOVE_ENDED: Statement = {
  name: 'remove ended of events',
  text: `
with gone as (
  delete from ended_deliveries d
   where d.tenant = $1
     and d.id > $2
     and d.event_id = any($3)
     and d.ended_at < $4
  returning d.id),
attempts_gone as (
  delete from attempts a
   using gone g
   where a.tenant = $1
     and a.delivery_id = g.id)
select id
  from gone`,
};

const WITHOUT_DELIVERIES: Statement = {
  name: 'events without deliveries',
  text: `
select e.id, e.actions, e.payload
  from events e
 where e.tenant = $1
   and e.id = any($2)
   and not exists (select from deliveries d where d.${ANY_STATE} and d.tenant = e.tenant and d.event_id = e.id)
   and not exists (select from ended_deliveries d where d.tenant = e.tenant and d.event_id = e.id)
   for update of e`,
};

const REMOVE_KEYS: Statement = {
  name: 'remove keys of events',
  text: `
delete from event_keys k
 using unnest($2::text[], $3::text[]) as g (key, event_id)
 where k.tenant = $1
   and k.key = g.key
   and k.event_id = g.event_id`,
};

const REMOVE_EVENTS: Statement = {
  name: 'remove events',
  text: `
with unindexed_gone as (
  update unindexed_events
     set ids = array(select unnest(ids) except select unnest($2::text[]) order by 1)
   where tenant = $1
     and ids && $2::text[]),
marks_gone as (
  delete from erasures
   where tenant = $1
     and event_id = any($2))
delete from events
 where tenant = $1
   and id = any($2)`,
};

/** Events read in one transaction: each may be long. */
const MOST_EVENTS = 100;
/** Below every id. */
const FIRST = '0'.repeat(32);

/** Row by row, as what is shorter kept than the rest lies among it. */
export function pruneSome(database: Database, some: PruneSome): Promise<PrunedSome> {
  const { tenant, action, before, after = FIRST } = some;
  const limit = Math.min(some.limit, MOST_EVENTS);
  const range = [tenant, after, idAt(before), limit];
  return database.transaction(async (query) => {
    const found =
      action === null
        ? await query(OLD_OF_TENANT, range)
        : await query(OLD_WITH_KEY, [...range, actionKey(action)]);
    const ids = found.map((row) => text(row, 'id'));
    const [first] = ids;
    if (first === undefined) return { deliveries: 0, next: null };
    const gone = await query(REMOVE_ENDED, [tenant, first, ids, before]);
    await removeEvents(query, tenant, ids);
    return { deliveries: gone.length, next: ids.length === limit ? (ids.at(-1) ?? null) : null };
  });
}

/** Those that no delivery needs any more. */
async function removeEvents(query: Query, tenant: string, ids: readonly Id[]): Promise<void> {
  const rows = await query(WITHOUT_DELIVERIES, [tenant, ids]);
  if (rows.length === 0) return;
  const keys = rows.flatMap((row) => keysOf(row).map((key) => ({ key, id: text(row, 'id') })));
  await query(REMOVE_KEYS, [tenant, keys.map(({ key }) => key), keys.map(({ id }) => id)]);
  await query(REMOVE_EVENTS, [tenant, rows.map((row) => text(row, 'id'))]);
}

/** All that an event may be found by: the index has none by event. */
function keysOf(row: Row): string[] {
  const notifications = text(row, 'payload').split(NOTIFICATION_SEPARATOR);
  const subjects = notifications.flatMap((each) =>
    each === ERASED ? [] : [...possibleKeys(each)],
  );
  return [...parse<string[]>(row, 'actions').map(actionKey), ...subjects].filter(isText);
}
