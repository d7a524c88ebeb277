import type { DatabaseSync } from 'node:sqlite';
import type { DeliveryQuery, EventQuery } from '../port.ts';
import { type Condition, idRange, values, where } from './conditions.ts';
import type { Methods, Slice } from './protocol.ts';
import {
  integer,
  type Row,
  stateCode,
  text,
  toAttempt,
  toDeliveryRow,
  toEventRow,
} from '../rows.ts';

const DELIVERY_COLUMNS = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts,
       d.due_at, d.ended_at, d.reason, d.picks, e.actions`;

/** The event of a delivery, looked up after it: `cross join` keeps SQLite from turning that round. */
const THEIR_EVENTS = `
 cross join events e
    on e.tenant = d.tenant
   and e.id = d.event_id`;

const ATTEMPTS = `
select a.*
  from attempts a
 where a.delivery_id = ?
 order by a.number`;

const EVENT_COLUMNS = `
select e.tenant, e.id, e.accepted_at, e.occurred_at, e.actions, e.payload`;

const EVENTS = `
  from events e indexed by events_by_id`;

const ONE_EVENT = `${EVENT_COLUMNS}
  from events e
 where e.tenant = ?
   and e.id = ?`;

const ONE_DELIVERY = `${DELIVERY_COLUMNS}
  from deliveries d${THEIR_EVENTS}
 where d.tenant = ?
   and d.id = ?`;

/** Rows looked through in one go; a look-up that finds little goes on slice by slice. */
const SLICE_ROWS = 20_000;

const COUNTS = `
select (select count(*) from deliveries where state = 0) as pending,
       (select count(*) from deliveries where state = 3) as held`;

/** `range` is what the index of `from` finds; `filter` must look at each row of it. */
type Search = {
  readonly columns: string;
  readonly from: string;
  readonly joined: string;
  readonly id: string;
  readonly range: readonly Condition[];
  readonly filter: readonly Condition[];
  readonly limit: number;
};

/** What people look up. */
export function logReads(database: DatabaseSync): Methods {
  return {
    deliveries: (query: DeliveryQuery) =>
      searchSlice(database, deliverySearch(query), toDeliveryRow),
    delivery: (tenant: string, id: string) => {
      const row = database.prepare(ONE_DELIVERY).get(tenant, id);
      if (row === undefined) return undefined;
      const attempts = database.prepare(ATTEMPTS).all(id).map(toAttempt);
      return { row: toDeliveryRow(row), attempts };
    },
    events: (query: EventQuery) => searchSlice(database, eventSearch(query), toEventRow),
    event: (tenant: string, id: string) => {
      const row = database.prepare(ONE_EVENT).get(tenant, id);
      return row === undefined ? undefined : toEventRow(row);
    },
    counts: () => {
      const row = database.prepare(COUNTS).get() ?? {};
      return { pending: integer(row, 'pending'), held: integer(row, 'held') };
    },
  };
}

function deliverySearch(query: DeliveryQuery): Search {
  const { tenant, registrationId, eventId, state, limit } = query;
  const range: Condition[] = [['d.tenant = ?', tenant]];
  const filter: Condition[] = actionFilter(query.action);
  if (eventId !== undefined) range.push(['d.event_id = ?', eventId]);
  if (registrationId !== undefined) {
    const condition: Condition = ['d.registration_id = ?', registrationId];
    (eventId === undefined ? range : filter).push(condition);
  }
  if (state !== undefined) filter.push(['d.state = ?', stateCode(state)]);
  range.push(...idRange(query, 'd.id'));
  const from = `\n  from deliveries d ${deliveryIndex(query)}`;
  return {
    columns: DELIVERY_COLUMNS,
    from,
    joined: THEIR_EVENTS,
    id: 'd.id',
    range,
    filter,
    limit,
  };
}

/** Without statistics SQLite would read all of a tenant's deliveries for those of one registration. */
function deliveryIndex({ eventId, registrationId }: DeliveryQuery): string {
  if (eventId !== undefined) return 'indexed by deliveries_by_event';
  if (registrationId !== undefined) return 'indexed by deliveries_by_registration';
  return '';
}

function eventSearch(query: EventQuery): Search {
  return {
    columns: EVENT_COLUMNS,
    from: EVENTS,
    joined: '',
    id: 'e.id',
    range: [['e.tenant = ?', query.tenant], ...idRange(query, 'e.id')],
    filter: actionFilter(query.action),
    limit: query.limit,
  };
}

function actionFilter(action: string | undefined): Condition[] {
  if (action === undefined) return [];
  return [['exists (select 1 from json_each(e.actions) where value = ? collate nocase)', action]];
}

/** The newest rows of a search, looking through one slice of its range at most. */
function searchSlice<Found>(
  database: DatabaseSync,
  search: Search,
  toFound: (row: Row) => Found,
): Slice<Found> {
  const { columns, from, joined, id, range, filter, limit } = search;
  const floor = filter.length === 0 ? null : sliceFloor(database, search);
  const bound: Condition[] = floor === null ? [] : [[`${id} >= ?`, floor]];
  const conditions = [...range, ...bound, ...filter];
  const sql = `${columns}${from}${joined}${where(conditions)}\n order by ${id} desc\n limit ?`;
  const rows = database.prepare(sql).all(...values(conditions), limit);
  return { rows: rows.map(toFound), next: floor };
}

/** The last id of the slice; null when the range holds no more than that. */
function sliceFloor(database: DatabaseSync, { from, id, range }: Search): string | null {
  const sql = `select ${id} as id${from}${where(range)}\n order by ${id} desc\n limit 1 offset ?`;
  const row = database.prepare(sql).get(...values(range), SLICE_ROWS - 1);
  return row === undefined ? null : text(row, 'id');
}
