import type { DatabaseSync } from 'node:sqlite';
import type { Id } from '../../core/id.ts';
import type { DeliveryQuery, DeliveryRow } from '../port.ts';
import { type Condition, values, where } from './conditions.ts';
import type { Slice } from './protocol.ts';
import { type Row, stateCode, text, toDeliveryRow } from '../rows.ts';
import { deliverySources } from './delivery-sources.ts';
import { candidatesOf, chooseSource, type SliceQuery } from './search.ts';
import { COMMON_PICK, type Terms, termsOf } from './search-parts.ts';

export const DELIVERY_COLUMNS = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts, d.due_at, d.ended_at,
       d.reason, d.picks, d.sequence, d.leased = -1 as behind, d.job_id, d.replay_of, e.actions, e.erased, o.class, o.status, o.sentence`;

/** Looked up after the delivery: `cross join` keeps SQLite from turning that round. */
export const WITH_EVENT_AND_OUTCOME = `
 cross join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
  left join outcomes o
    on o.id = d.outcome`;

const CANDIDATES = `
  from json_each(?1) c
 cross join deliveries d
    on d.tenant = ?2
   and d.id = c.value`;

/** What a delivery carries has one of these keys. */
export const CARRIES_KEY = `exists (
       select 1
         from key_events k
        where k.key_id in (select value from json_each(?))
          and k.event_id = unhex(d.event_id)
          and ${COMMON_PICK})`;

const HAS_OUTCOME = 'd.outcome in (select value from json_each(?))';

/** What did not deliver at once is looked up in its small index, before the row is fetched for nothing. */
const IN_RARE_STATE = `exists (
       select 1
         from deliveries x indexed by deliveries_by_state
        where x.tenant = ?2
          and x.state in (2, 3, 4)
          and x.state = ?
          and x.id = c.value)`;
const FAILED_WITH = `exists (
       select 1
         from deliveries x indexed by deliveries_by_outcome
        where x.state <> 1
          and x.outcome in (select value from json_each(?))
          and x.id = c.value)`;

type Found = DeliveryRow | Id;

/** The newest deliveries that a look-up means, looking through one slice of a source at most. */
export function searchDeliveries(
  database: DatabaseSync,
  query: SliceQuery & DeliveryQuery,
): Slice<Found> {
  const isShort = query.idsOnly === true;
  const { rows, next } = sliceOfDeliveries(database, query, isShort ? ID_ONLY : WHOLE);
  return { rows: rows.map((row) => (isShort ? text(row, 'id') : toDeliveryRow(row))), next };
}

type Wanted = { readonly columns: string; readonly joined: string };
const WHOLE: Wanted = { columns: DELIVERY_COLUMNS, joined: WITH_EVENT_AND_OUTCOME };
const ID_ONLY: Wanted = { columns: '\nselect d.id', joined: '' };

/** The same, as rows of the columns that are wanted. */
export function sliceOfDeliveries(
  database: DatabaseSync,
  query: SliceQuery & DeliveryQuery,
  { columns, joined }: Wanted,
): Slice<Row> {
  const terms = termsOf(database, query);
  if (terms === undefined) return { rows: [], next: null };
  const parts = partsOf(query, terms);
  const names = parts.map(({ name }) => name);
  const choice = chooseSource(database, deliverySources(query, terms), query, names);
  const filter = parts.filter(({ name }) => !choice.source.covers.includes(name));
  const rows = filter.length === 0 ? query.limit : choice.rows;
  const { ids, floor } = candidatesOf(database, choice.source, query, rows);
  const conditions = filter.map(({ condition }) => condition);
  const sql = `${columns}${CANDIDATES}${joined}${where(conditions)}\n limit ?`;
  const bound = [JSON.stringify(ids), query.tenant, ...values(conditions), query.limit];
  const found = database.prepare(sql).all(...bound);
  // A full slice may have left candidates that were looked at no more: it goes on below its last.
  const before = found.length === query.limit ? text(found.at(-1) ?? {}, 'id') : floor;
  return { rows: found, next: before === null ? null : { before, source: choice.next } };
}

type Part = { readonly name: string; readonly condition: Condition };

/** Everything that must be so of a delivery. */
function partsOf({ registrationId, eventId, state }: DeliveryQuery, terms: Terms): Part[] {
  const parts: Part[] = [];
  const add = (name: string, sql: string, value: string | number | undefined): void => {
    if (value !== undefined) parts.push({ name, condition: [sql, value] });
  };
  add('event', 'd.event_id = ?', eventId);
  add('registration', 'd.registration_id = ?', registrationId);
  const isRare = state === 'exhausted' || state === 'held' || state === 'cancelled';
  add(
    'state',
    isRare ? IN_RARE_STATE : 'd.state = ?',
    state === undefined ? undefined : stateCode(state),
  );
  add('outcome', terms.mayBeDelivered ? HAS_OUTCOME : FAILED_WITH, jsonOf(terms.outcome));
  add('subject', CARRIES_KEY, jsonOf(terms.subject));
  add('action', CARRIES_KEY, jsonOf(terms.action));
  return parts;
}

function jsonOf(ids: readonly number[] | undefined): string | undefined {
  return ids === undefined ? undefined : JSON.stringify(ids);
}
