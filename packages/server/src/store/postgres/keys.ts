import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { eventKeys, type SubjectPaths } from '../../core/subjects.ts';
import { parse, type Row, text } from '../rows.ts';
import type { Store } from '../port.ts';
import type { Database, Statement } from './database.ts';
import type { Place } from './place.ts';
import { ALL, type RecentBatch, type RecentEvent } from './recent-events.ts';

/** Takes rows out of the waiting until they hold so many events; in the order in which all lock them. */
function take(name: string, locked: '' | 'skip locked'): Statement {
  return {
    name,
    text: `
with next as (
  select tenant, id, ids
    from unindexed_events
   where id < $2
   order by tenant, id
   limit $1),
few as materialized (
  select u.tenant, u.id
    from (select tenant, id, sum(cardinality(ids)) over (order by tenant, id) - cardinality(ids) as before
            from next) n
    join unindexed_events u
      on u.tenant = n.tenant
     and u.id = n.id
   where n.before < $1
     for update of u ${locked}),
taken as (
  delete from unindexed_events u
   using few f
   where u.tenant = f.tenant
     and u.id = f.id
  returning u.tenant, u.ids)
select t.tenant, t.id, e.actions, e.payload
  from (select tenant, unnest(ids) as id from taken) t
  left join events e
    on e.tenant = t.tenant
   and e.id = t.id`,
  };
}

/** What another node is noting at this moment is waited for: somebody looks for it. */
const TAKE_ALL = take('take unindexed', '');
/** Nodes that do so at once take different ones. */
const TAKE_LEFT = take('take left unindexed', 'skip locked');

/** Those that follow each other have their key in common, so that it is handed over and compared once. */
const NOTE = `
insert into event_keys (tenant, key, event_id, picks)
select k.tenant, k.key, e.id, k.picks
  from unnest($1::text[], $2::text[], $3::text[], $4::text[])
    as k (tenant, key, picks, ids)
 cross join unnest(string_to_array(k.ids, ',')) as e (id)`;

const NOTE_TAKEN: Statement = { name: 'note keys', text: NOTE };

/**
 * Nothing of what was removed meanwhile, or looked over by another node. `is true`, because what stands
 * in a condition by itself would be joined, in the square of the time.
 */
const NOTE_RECENT: Statement = {
  name: 'note recent keys',
  text: `
with taken as (
  delete from unindexed_events u
   using unnest($5::text[], $6::text[]) as r (tenant, id)
   where u.tenant = r.tenant
     and u.id = r.id
  returning u.tenant, u.ids)${NOTE}
 where ((k.tenant, e.id) in (select tenant, unnest(ids) from taken)) is true`,
};

/** A key of events that have it at the same notifications. */
type Key = {
  readonly tenant: string;
  readonly key: string;
  readonly picks: string | null;
  readonly ids: string[];
};

/** Notes what the next events are found by: first those that this node accepted itself. */
export async function index(
  place: Place,
  ...[paths, limit, leavesRecent = false]: Parameters<Store['index']>
): Promise<number> {
  const { database, recent } = place;
  const own = await indexOwn(place, paths, limit);
  const below = leavesRecent ? recent.othersBelow(Date.now()) : ALL;
  if (own >= limit || below === null) return own;
  const wanted = limit - own;
  const others = await indexOthers(database, paths, { limit: wanted, below });
  if (others < wanted) recent.readAll(below);
  return own + others;
}

async function indexOwn(
  { database, recent }: Place,
  ...[paths, limit]: Parameters<Store['index']>
): Promise<number> {
  const batches = recent.take(limit).toSorted(inOrder);
  if (batches.length === 0) return 0;
  const events = batches.flatMap((batch) => batch.events);
  const named = [batches.map(({ tenant }) => tenant), batches.map(({ first }) => first)];
  try {
    await database.query(NOTE_RECENT, [...columnsOf(keysOf(events, paths)), ...named]);
  } catch (error) {
    recent.lose();
    throw error;
  }
  return events.length;
}

/** By tenant and first event, as others lock their rows. */
function inOrder(a: RecentBatch, b: RecentBatch): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return a.first < b.first ? -1 : 1;
}

async function indexOthers(
  database: Database,
  paths: SubjectPaths,
  { limit, below }: { readonly limit: number; readonly below: string },
): Promise<number> {
  return database.transaction(async (query) => {
    const rows = await query(below === ALL ? TAKE_ALL : TAKE_LEFT, [limit, below]);
    // Of one that was removed meanwhile nothing is left to look at.
    const events = rows.filter(({ payload }) => payload !== null).map(toRecentEvent);
    if (events.length > 0) await query(NOTE_TAKEN, columnsOf(keysOf(events, paths)));
    return rows.length;
  });
}

function toRecentEvent(row: Row): RecentEvent {
  const [tenant, id, payload] = [text(row, 'tenant'), text(row, 'id'), text(row, 'payload')];
  return { tenant, id, payload, actions: parse<string[]>(row, 'actions') };
}

/** In the order of the index, so that neighbours are written one after the other. */
function keysOf(events: readonly RecentEvent[], paths: SubjectPaths): Key[] {
  const found = new Map<string, Key>();
  for (const { tenant, id, actions, payload } of events) {
    const notifications = payload.split(NOTIFICATION_SEPARATOR);
    for (const [key, picked] of eventKeys(paths, actions, notifications)) {
      if (!isText(key)) continue;
      const picks = picked === null ? null : JSON.stringify(picked);
      const place = `${tenant}\u0000${key}\u0000${picks ?? ''}`;
      const known = found.get(place);
      if (known === undefined) found.set(place, { tenant, key, picks, ids: [id] });
      else known.ids.push(id);
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key);
}

function columnsOf(keys: readonly Key[]): unknown[][] {
  return [
    keys.map(({ tenant }) => tenant),
    keys.map(({ key }) => key),
    keys.map(({ picks }) => picks),
    keys.map(({ ids }) => ids.join(',')),
  ];
}

/** No column can hold a NUL or half a character; nobody is called so. */
export function isText(key: string): boolean {
  return !key.includes('\u0000') && key.isWellFormed();
}
