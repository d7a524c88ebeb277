import { type Id, idAt, idTime } from '../../core/id.ts';
import type { EventQuery } from '../port.ts';
import { text } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';
import { hasMadeByJobs } from './made-by-jobs.ts';
import { type Bounds, choose, type From, type Place, slicesOf, type Source } from './search.ts';
import {
  type DeliverySource,
  filterOf,
  joinedToKeys,
  sourcesOf,
  tablesOf,
} from './search-deliveries.ts';
import { alongKeys, newestOfKeys, SLACK_MS, termsOf } from './search-parts.ts';

/** The ids of events whose deliveries a look-up means, slice by slice, newest first, each once. */
export async function* eventsOfDeliveries(
  database: Database,
  query: EventQuery,
): AsyncGenerator<readonly Id[]> {
  const terms = await termsOf(database, query);
  if (terms === undefined) return;
  const below = query.before === undefined ? {} : { before: query.before };
  const chosen = await choose(database, sourcesOf(query, terms, {}), below);
  // A delivery is younger than its event, however it was made.
  const source = byEvent(query, chosen, await hasMadeByJobs(database, query));
  const addFilter = filterOf(query, terms, chosen);
  const asked = { columns: 'd.event_id as id, d.event_id', id: 'd.event_id', addFilter };
  for await (const { rows } of slicesOf(database, asked, source, { ...below, limit: query.limit }))
    yield [...new Set(rows.map((row) => text(row, 'id')))];
}

/** The same source, in the order of events. */
function byEvent(query: EventQuery, { by, covers }: DeliverySource, isMixed: boolean): Source {
  const rest = { order: 'd.event_id desc', covers };
  return 'keys' in by
    ? { ...rest, along: alongKeys(query, by.keys), place: ofKeys(query, by.keys, isMixed) }
    : { ...rest, ...ofRange(query, by, isMixed) };
}

function ofKeys(query: EventQuery, keys: readonly string[], isMixed: boolean): Source['place'] {
  const isOne = keys.length === 1;
  return (bounds, rows) => {
    const conditions = new Conditions();
    conditions.add('d.tenant = ?', query.tenant);
    addEventBounds(conditions, query, bounds);
    const events = newestOfKeys(conditions, { query, keys, bounds, rows });
    const from = (isMixed ? [true, false] : [true]).flatMap((isMade) =>
      tablesOf(query.state).map((table) => joinedToKeys(events, table, { isOne, isMade })),
    );
    return { from, conditions };
  };
}

/**
 * Deliveries that were made with their events lie nearly in the order of these: nodes that accept at
 * once make ids of one millisecond. A slice ends where it holds enough of them, and is all deliveries
 * of the events within. What a job made later lies anywhere, and has an index by event.
 */
function ofRange(
  query: EventQuery,
  { sql, value }: Range,
  isMixed: boolean,
): Pick<Source, 'place' | 'along'> {
  const read = (bounds: Bounds, rows: number | null): Place => {
    const conditions = new Conditions();
    conditions.add('d.tenant = ?', query.tenant);
    conditions.add(sql, value);
    const parts: Parts = {
      ids: conditions.elsewhere(),
      events: conditions.elsewhere(),
      isMixed,
      rows,
    };
    addIdBounds(parts.ids, query, bounds);
    addEventBounds(parts.events, query, bounds);
    const tables = tablesOf(query.state);
    const made = tables.map((table) => madeWithEvents(table, parts));
    const later = isMixed ? tables.map((table) => madeByJobs(table, parts)) : [];
    return { from: [...made, ...later], conditions };
  };
  return {
    place: (bounds) => read(bounds, null),
    along: { id: 'd.event_id', place: read },
  };
}

type Range = { readonly sql: string; readonly value: unknown };

type Parts = {
  readonly ids: Conditions;
  readonly events: Conditions;
  readonly isMixed: boolean;
  /** So many, the newest; null for all. */
  readonly rows: number | null;
};

/** By their own ids: `offset` keeps PostgreSQL from reading all deliveries of those events instead. */
function madeWithEvents(table: string, { ids, events, isMixed, rows }: Parts): From {
  const own = isMixed ? '\n   and d.job_id is null' : '';
  const [order, limit] = rows === null ? ['', ''] : ['order by d.id desc ', `limit ${rows}`];
  return (where) => `
  from (select d.event_id
          from (select d.event_id
                  from ${table}${where}${ids.and}${own}
                ${order}offset 0) d
         where true${events.and}
         ${limit}) d`;
}

function madeByJobs(table: string, { events, rows }: Parts): From {
  const newest = rows === null ? '' : `\n order by d.event_id desc limit ${rows}`;
  return (where) => `
  from (select d.event_id
          from ${table}${where}
           and d.job_id is not null${events.and}${newest}) d`;
}

/** A delivery is younger than its event, and by less than a moment where it was made with that. */
function addIdBounds(conditions: Conditions, { from, to }: EventQuery, bounds: Bounds): void {
  const { before, floor } = bounds;
  if (from !== undefined) conditions.add('d.id >= ?', idAt(from));
  if (to !== undefined) conditions.add('d.id < ?', idAt(to + SLACK_MS));
  if (before !== undefined) conditions.add('d.id < ?', idAt(idTime(before) + SLACK_MS));
  if (floor !== undefined) conditions.add('d.id >= ?', floor);
}

function addEventBounds(conditions: Conditions, { from, to }: EventQuery, bounds: Bounds): void {
  const { before, floor } = bounds;
  if (from !== undefined) conditions.add('d.event_id >= ?', idAt(from));
  if (to !== undefined) conditions.add('d.event_id < ?', idAt(to));
  if (before !== undefined) conditions.add('d.event_id < ?', before);
  if (floor !== undefined) conditions.add('d.event_id >= ?', floor);
}
