import type { Attempt } from '../../core/attempt.ts';
import type { Id } from '../../core/id.ts';
import type { DeliveryQuery, DeliveryRow, EventQuery, EventRow } from '../port.ts';
import {
  integer,
  type Row,
  stateCode,
  text,
  toAttempt,
  toDeliveryRow,
  toEventRow,
} from '../rows.ts';
import { Conditions } from './conditions.ts';
import { codeOf, type Database, NOT_TEXT, type Statement } from './database.ts';

/** What waits and what ended, side by side. */
const ALL_DELIVERIES = `(
       select tenant, id, event_id, registration_id, state, attempts, due_at,
              null::bigint as ended_at, reason, picks
         from deliveries
        union all
       select tenant, id, event_id, registration_id, state, attempts, null::bigint,
              ended_at, reason, picks
         from ended_deliveries) d`;

const DELIVERY_COLUMNS = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts,
       d.due_at, d.ended_at, d.reason, d.picks, e.actions`;

const THEIR_EVENTS = `
  join events e
    on e.tenant = d.tenant
   and e.id = d.event_id`;

const ONE_DELIVERY: Statement = {
  name: 'one delivery',
  text: `${DELIVERY_COLUMNS}
  from ${ALL_DELIVERIES}${THEIR_EVENTS}
 where d.tenant = $1
   and d.id = $2`,
};

const ATTEMPTS: Statement = {
  name: 'attempts',
  text: `
select *
  from attempts
 where tenant = $1
   and delivery_id = $2
 order by number, started_at`,
};

const EVENT_COLUMNS = `
select e.tenant, e.id, e.accepted_at, e.occurred_at, e.actions, e.payload`;

const ONE_EVENT: Statement = {
  name: 'one event',
  text: `${EVENT_COLUMNS}
  from events e
 where e.tenant = $1
   and e.id = $2`,
};

const COUNTS: Statement = {
  name: 'counts',
  text: `
select count(*) filter (where state = 0) as pending,
       count(*) filter (where state = 3) as held
  from deliveries`,
};

/** Rows looked through in one statement; a look-up that finds little goes on slice by slice. */
const SLICE_ROWS = 20_000;

/** `range` is what an index finds; `filter` must look at each row of it. */
type Search = {
  readonly columns: string;
  readonly from: string;
  readonly joined: string;
  readonly id: string;
  readonly range: Conditions;
  readonly addFilter: ((conditions: Conditions) => void) | null;
};

export async function deliveries(
  database: Database,
  query: DeliveryQuery,
): Promise<readonly DeliveryRow[]> {
  return (await search(database, deliverySearch(query), query.limit)).map(toDeliveryRow);
}

export async function events(database: Database, query: EventQuery): Promise<readonly EventRow[]> {
  return (await search(database, eventSearch(query), query.limit)).map(toEventRow);
}

export async function delivery(
  database: Database,
  tenant: string,
  id: Id,
): Promise<{ row: DeliveryRow; attempts: readonly Attempt[] } | undefined> {
  const [row] = await readSome(database, ONE_DELIVERY, tenant, id);
  if (row === undefined) return undefined;
  const attempts = await readSome(database, ATTEMPTS, tenant, id);
  return { row: toDeliveryRow(row), attempts: attempts.map(toAttempt) };
}

export async function event(
  database: Database,
  tenant: string,
  id: Id,
): Promise<EventRow | undefined> {
  const [row] = await readSome(database, ONE_EVENT, tenant, id);
  return row === undefined ? undefined : toEventRow(row);
}

export async function counts(
  database: Database,
): Promise<{ readonly pending: number; readonly held: number }> {
  const [row = {}] = await database.query(COUNTS);
  return { pending: integer(row, 'pending'), held: integer(row, 'held') };
}

/** No row has an id that no column can hold. */
async function readSome(
  database: Database,
  statement: Statement,
  tenant: string,
  id: Id,
): Promise<readonly Row[]> {
  try {
    return await database.query(statement, [tenant, id]);
  } catch (error) {
    if (codeOf(error) === NOT_TEXT) return [];
    throw error;
  }
}

function deliverySearch(query: DeliveryQuery): Search {
  const { tenant, registrationId, eventId, state, action } = query;
  const range = new Conditions();
  range.add('d.tenant = ?', tenant);
  if (eventId !== undefined) range.add('d.event_id = ?', eventId);
  if (registrationId !== undefined) range.add('d.registration_id = ?', registrationId);
  range.idRange('d.id', query);
  const addFilter = (conditions: Conditions): void => {
    if (state !== undefined) conditions.add('d.state = ?', stateCode(state));
    filterByAction(conditions, action);
  };
  return {
    columns: DELIVERY_COLUMNS,
    from: `\n  from ${ALL_DELIVERIES}`,
    joined: THEIR_EVENTS,
    id: 'd.id',
    range,
    addFilter: state === undefined && action === undefined ? null : addFilter,
  };
}

function eventSearch(query: EventQuery): Search {
  const { tenant, action } = query;
  const range = new Conditions();
  range.add('e.tenant = ?', tenant);
  range.idRange('e.id', query);
  return {
    columns: EVENT_COLUMNS,
    from: '\n  from events e',
    joined: '',
    id: 'e.id',
    range,
    addFilter: action === undefined ? null : (conditions) => filterByAction(conditions, action),
  };
}

/** Actions are stored as JSON: between its elements, and only there, is a quote after a comma. */
function filterByAction(conditions: Conditions, action: string | undefined): void {
  if (action === undefined) return;
  const element = `,${JSON.stringify(action)}`;
  conditions.add("strpos(lower(',' || substr(e.actions, 2)), lower(?)) > 0", element);
}

/** The newest rows, slice after slice of the range, until enough are found or it is at its end. */
async function search(database: Database, asked: Search, limit: number): Promise<readonly Row[]> {
  const { columns, from, joined, id, range, addFilter } = asked;
  if (addFilter === null) {
    return range.read(
      database,
      `${columns}${from}${joined}${range.where}\n order by ${id} desc`,
      limit,
    );
  }
  const found: Row[] = [];
  let rest = range;
  while (found.length < limit) {
    const floor = await sliceFloor(database, asked, rest);
    const slice = rest.copy();
    if (floor !== null) slice.add(`${id} >= ?`, floor);
    addFilter(slice);
    const sql = `${columns}${from}${joined}${slice.where}\n order by ${id} desc`;
    found.push(...(await slice.read(database, sql, limit - found.length)));
    if (floor === null) break;
    rest = range.copy();
    rest.add(`${id} < ?`, floor);
  }
  return found;
}

/** The last id of the slice; null when the range holds no more than that. */
async function sliceFloor(
  database: Database,
  { from, id }: Search,
  range: Conditions,
): Promise<string | null> {
  const sql = `select ${id} as id${from}${range.where}\n order by ${id} desc\n offset ${SLICE_ROWS - 1}`;
  const [row] = await range.read(database, sql, 1);
  return row === undefined ? null : text(row, 'id');
}
