import { type Id, idAt } from '../../core/id.ts';
import { COUNT_LIMIT, type Count, type EventQuery, type EventRow, type LogQuery } from '../port.ts';
import { text, toEventRow } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database, Statement } from './database.ts';
import { eventsOfDeliveries } from './event-sources.ts';
import { type Asked, type Bounds, choose, slicesOf, type Source } from './search.ts';
import { alongKeys, newestOfKeys, type Terms, termsOf } from './search-parts.ts';

export const EVENT_COLUMNS = `
select e.tenant, e.id, e.accepted_at, e.occurred_at, e.actions, e.payload, e.erased`;

/** One by one: for a list, in order, PostgreSQL would read through the events of all days. */
const BY_ID: Statement = {
  name: 'found events',
  text: `${EVENT_COLUMNS}
  from unnest($2::text[]) wanted (id)
 cross join lateral (
       select *
         from events
        where tenant = $1
          and id = wanted.id collate "C"
       offset 0) e`,
};

const HAS_KEY = `exists (
       select from event_keys k
        where k.tenant = e.tenant
          and k.key = any(?)
          and k.event_id = e.id)`;

export async function events(database: Database, query: EventQuery): Promise<readonly EventRow[]> {
  const ids: Id[] = [];
  for await (const found of eventIds(database, query)) {
    ids.push(...found.slice(0, query.limit - ids.length));
    if (ids.length === query.limit) break;
  }
  const rows = await database.query(BY_ID, [query.tenant, ids]);
  return rows.map(toEventRow).toSorted((a, b) => (a.id < b.id ? 1 : -1));
}

export async function countEvents(database: Database, query: LogQuery): Promise<Count> {
  let count = 0;
  for await (const found of eventIds(database, { ...query, limit: COUNT_LIMIT + 1 })) {
    count += found.length;
    if (count > COUNT_LIMIT) return { count: COUNT_LIMIT, isExact: false };
  }
  return { count, isExact: true };
}

function eventIds(database: Database, query: EventQuery): AsyncGenerator<readonly Id[]> {
  return isOfDeliveries(query) ? eventsOfDeliveries(database, query) : ownEvents(database, query);
}

/** True when something is asked that deliveries answer. */
function isOfDeliveries({
  registrationId,
  state,
  outcome,
  status,
  text: words,
}: LogQuery): boolean {
  return [registrationId, state, outcome, status, words].some((each) => each !== undefined);
}

async function* ownEvents(database: Database, query: EventQuery): AsyncGenerator<readonly Id[]> {
  const terms = await termsOf(database, query);
  if (terms === undefined) return;
  const below = query.before === undefined ? {} : { before: query.before };
  const source = await choose(database, sourcesOf(query, terms), below);
  const asked: Asked = { columns: 'e.id', id: 'e.id', addFilter: filterOf(terms) };
  const wanted = { ...below, limit: query.limit };
  for await (const { rows } of slicesOf(database, asked, source, wanted))
    yield rows.map((row) => text(row, 'id'));
}

function filterOf({ subject, action }: Terms): Asked['addFilter'] {
  if (subject === undefined || action === undefined) return null;
  return (conditions) => {
    conditions.add(HAS_KEY, subject);
    conditions.add(HAS_KEY, action);
  };
}

function sourcesOf(query: EventQuery, { subject, action }: Terms): [Source, ...Source[]] {
  const keyed = [subject, action].filter((keys) => keys !== undefined);
  const all: Source = {
    place: (bounds) => ({
      from: [(where) => `\n  from events e${where}`],
      conditions: bounded(query, bounds),
    }),
    order: 'e.id desc',
    covers: [],
  };
  const [first = all, ...others] = keyed.map((keys) => ofKeys(query, keys));
  return [first, ...others];
}

function ofKeys(query: EventQuery, keys: readonly string[]): Source {
  return {
    along: alongKeys(query, keys),
    place: (bounds, rows) => {
      const conditions = bounded(query, bounds);
      const keyed = newestOfKeys(conditions, { query, keys, bounds, rows });
      const from = (where: string): string => `
  from ${keyed}
 cross join lateral (
       select e.*
         from events e${where}
          and e.id = k.event_id
       offset 0) e`;
      return { from: [from], conditions };
    },
    order: 'e.id desc',
    covers: [],
  };
}

function bounded({ tenant, from, to }: EventQuery, { before, floor }: Bounds): Conditions {
  const conditions = new Conditions();
  conditions.add('e.tenant = ?', tenant);
  if (from !== undefined) conditions.add('e.id >= ?', idAt(from));
  if (to !== undefined) conditions.add('e.id < ?', idAt(to));
  if (before !== undefined) conditions.add('e.id < ?', before);
  if (floor !== undefined) conditions.add('e.id >= ?', floor);
  return conditions;
}
