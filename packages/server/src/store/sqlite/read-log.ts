import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { DeliveryQuery, EventQuery } from '../port.ts';
import type { Methods } from './protocol.ts';
import { integer, stateCode, toAttempt, toDeliveryRow, toEventRow } from './rows.ts';

const DELIVERY_COLUMNS = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts,
       d.due_at, d.ended_at, d.reason, d.picks, e.actions
  from deliveries d
  join events e
    on e.tenant = d.tenant
   and e.id = d.event_id`;

const ATTEMPTS = `
select a.*
  from attempts a
 where a.delivery_id = ?
 order by a.number`;

const EVENT_COLUMNS = `
select tenant, id, accepted_at, occurred_at, actions, payload
  from events e`;

const COUNTS = `
select (select count(*) from deliveries where state = 0) as pending,
       (select count(*) from deliveries where state = 3) as held`;

/** An id begins with its time, so a time bounds ids: 12 hexadecimal digits and the lowest rest. */
function idAt(ms: number): string {
  return Math.max(0, ms).toString(16).padStart(12, '0');
}

type Condition = readonly [sql: string, value: SQLInputValue];

/** What people look up. */
export function logReads(database: DatabaseSync): Methods {
  return {
    deliveries: (query: DeliveryQuery) =>
      select(database, DELIVERY_COLUMNS, deliveryConditions(query), query.limit).map(toDeliveryRow),
    delivery: (tenant: string, id: string) => {
      const [row] = select(
        database,
        DELIVERY_COLUMNS,
        [
          ['d.tenant = ?', tenant],
          ['d.id = ?', id],
        ],
        1,
      );
      if (row === undefined) return undefined;
      const attempts = database.prepare(ATTEMPTS).all(id).map(toAttempt);
      return { row: toDeliveryRow(row), attempts };
    },
    events: (query: EventQuery) =>
      select(database, EVENT_COLUMNS, eventConditions(query), query.limit).map(toEventRow),
    event: (tenant: string, id: string) => {
      const row = database
        .prepare(`${EVENT_COLUMNS} where e.tenant = ? and e.id = ?`)
        .get(tenant, id);
      return row === undefined ? undefined : toEventRow(row);
    },
    counts: () => {
      const row = database.prepare(COUNTS).get() ?? {};
      return { pending: integer(row, 'pending'), held: integer(row, 'held') };
    },
  };
}

function deliveryConditions(query: DeliveryQuery): Condition[] {
  const conditions: Condition[] = [['d.tenant = ?', query.tenant]];
  if (query.registrationId !== undefined)
    conditions.push(['d.registration_id = ?', query.registrationId]);
  if (query.eventId !== undefined) conditions.push(['d.event_id = ?', query.eventId]);
  if (query.state !== undefined) conditions.push(['d.state = ?', stateCode(query.state)]);
  return [...conditions, ...commonConditions(query, 'd.id')];
}

function eventConditions(query: EventQuery): Condition[] {
  return [['e.tenant = ?', query.tenant], ...commonConditions(query, 'e.id')];
}

function commonConditions(
  query: Pick<EventQuery, 'action' | 'from' | 'to' | 'before'>,
  id: string,
): Condition[] {
  const conditions: Condition[] = [];
  if (query.action !== undefined) {
    const listed = 'exists (select 1 from json_each(e.actions) where value = ? collate nocase)';
    conditions.push([listed, query.action]);
  }
  if (query.from !== undefined) conditions.push([`${id} >= ?`, idAt(query.from)]);
  if (query.to !== undefined) conditions.push([`${id} < ?`, idAt(query.to)]);
  if (query.before !== undefined) conditions.push([`${id} < ?`, query.before]);
  return conditions;
}

function select(
  database: DatabaseSync,
  columns: string,
  conditions: readonly Condition[],
  limit: number,
): Record<string, unknown>[] {
  const where = conditions.map(([sql]) => sql).join('\n   and ');
  const values = conditions.map(([, value]) => value);
  const order = columns === EVENT_COLUMNS ? 'e.id' : 'd.id';
  const sql = `${columns}\n where ${where}\n order by ${order} desc\n limit ?`;
  return database.prepare(sql).all(...values, limit);
}
