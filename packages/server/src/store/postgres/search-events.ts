import { type Id, idAt } from '../../core/id.ts';
import { COUNT_LIMIT, type Count, type EventQuery, type EventRow, type LogQuery } from '../port.ts';
import { type Row, text, toEventRow } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';
import { type Asked, choose, readSlice, type Source } from './search.ts';
import { deliverySlices } from './search-deliveries.ts';
import { addKeys, type Terms, termsOf } from './search-parts.ts';

export const EVENT_COLUMNS = `
select e.tenant, e.id, e.accepted_at, e.occurred_at, e.actions, e.payload, e.erased`;

const HAS_KEY = `exists (
       select from event_keys k
        where k.tenant = e.tenant
          and k.key = any(?)
          and k.event_id = e.id)`;

export async function events(database: Database, query: EventQuery): Promise<readonly EventRow[]> {
  if (!isOfDeliveries(query)) {
    const rows: Row[] = [];
    for await (const found of ownEvents(database, query, EVENT_COLUMNS)) {
      rows.push(...found.slice(0, query.limit - rows.length));
      if (rows.length === query.limit) break;
    }
    return rows.map(toEventRow);
  }
  const ids: Id[] = [];
  for await (const found of eventsOfDeliveries(database, query)) {
    ids.push(...found.slice(0, query.limit - ids.length));
    if (ids.length === query.limit) break;
  }
  return eventsById(database, query.tenant, ids);
}

export async function countEvents(database: Database, query: LogQuery): Promise<Count> {
  let count = 0;
  const all = { ...query, limit: COUNT_LIMIT + 1 };
  const found = isOfDeliveries(query)
    ? eventsOfDeliveries(database, all)
    : ownEvents(database, all, '\nselect e.id');
  for await (const some of found) {
    count += some.length;
    if (count > COUNT_LIMIT) return { count: COUNT_LIMIT, isExact: false };
  }
  return { count, isExact: true };
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

async function* ownEvents(
  database: Database,
  query: EventQuery,
  columns: string,
): AsyncGenerator<readonly Row[]> {
  const terms = await termsOf(database, query);
  if (terms === undefined) return;
  const below = query.before === undefined ? {} : { before: query.before };
  const source = await choose(database, sourcesOf(query, terms), below);
  const asked: Asked = { columns, joined: '', id: 'e.id', addFilter: filterOf(terms) };
  let before = query.before;
  for (let number = 0; ; number += 1) {
    const place = { limit: query.limit, number, ...(before === undefined ? {} : { before }) };
    const { rows, next } = await readSlice(database, asked, source, place);
    yield rows;
    if (next === null) return;
    before = next;
  }
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
  const range = (bounds: Bounds): Conditions => bounded(query, bounds, 'e.id');
  const all = { from: '\n  from events e', range, order: 'e.id desc', covers: [] };
  const [first = all, ...others] = keyed.map((keys) => ofKeys(query, keys));
  return [first, ...others];
}

function ofKeys(query: EventQuery, keys: readonly string[]): Source {
  return {
    from: `
  from event_keys k
  join events e
    on e.tenant = k.tenant
   and e.id = k.event_id`,
    range: (bounds) => {
      const conditions = bounded(query, bounds, 'k.event_id');
      addKeys(conditions, query.tenant, keys);
      return conditions;
    },
    order: 'e.id desc',
    covers: [],
  };
}

type Bounds = { readonly before?: Id; readonly floor?: Id };

function bounded(
  { tenant, from, to }: EventQuery,
  { before, floor }: Bounds,
  id: string,
): Conditions {
  const conditions = new Conditions();
  conditions.add('e.tenant = ?', tenant);
  if (from !== undefined) conditions.add(`${id} >= ?`, idAt(from));
  if (to !== undefined) conditions.add(`${id} < ?`, idAt(to));
  if (before !== undefined) conditions.add(`${id} < ?`, before);
  if (floor !== undefined) conditions.add(`${id} >= ?`, floor);
  return conditions;
}

/**
 * Deliveries are younger than their event and older than the next one, so that the order of the
 * ones is that of the others. The next slice goes on below the last event that was found.
 */
async function* eventsOfDeliveries(
  database: Database,
  query: EventQuery,
): AsyncGenerator<readonly Id[]> {
  const slices = deliverySlices(database, query, {
    columns: '\nselect d.id, d.event_id',
    joined: '',
  });
  let last: Id | undefined;
  for (;;) {
    const slice = await slices.next(last);
    if (slice.done === true) return;
    const ids = [...new Set(slice.value.rows.map((row) => text(row, 'event_id')))];
    last = ids.at(-1) ?? last;
    yield ids;
  }
}

async function eventsById(
  database: Database,
  tenant: string,
  ids: readonly Id[],
): Promise<readonly EventRow[]> {
  const conditions = new Conditions();
  conditions.add('e.tenant = ?', tenant);
  conditions.add('e.id = any(?)', ids);
  const sql = `${EVENT_COLUMNS}\n  from events e${conditions.where}\n order by e.id desc\n limit ?`;
  return (await conditions.read(database, sql, ids.length)).map(toEventRow);
}
