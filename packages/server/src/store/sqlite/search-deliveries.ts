import type { DatabaseSync } from 'node:sqlite';
import type { Id } from '../../core/id.ts';
import type { DeliveryQuery, DeliveryRow } from '../port.ts';
import type { Condition } from './conditions.ts';
import type { Slice } from './protocol.ts';
import { stateCode, toDeliveryRow } from '../rows.ts';
import { deliverySources, madeOfFew } from './delivery-sources.ts';
import { chooseSource, newestOf, type SliceQuery, type Source } from './search.ts';
import { CARRIES_KEY, type Terms, termsOf } from './search-parts.ts';

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

const BY_ID = `
  from json_each(?) c
 cross join deliveries d
    on d.tenant = ?
   and d.id = c.value`;

const HAS_OUTCOME = 'd.outcome in (select value from json_each(?))';

type Found = DeliveryRow | Id;

/** The newest deliveries that a look-up means, looking through one slice of a source at most. */
export function searchDeliveries(
  database: DatabaseSync,
  query: SliceQuery & DeliveryQuery,
): Slice<Found> {
  const madeOf = madeOfFew(database, query.tenant);
  const { rows: ids, next } = sliceOf(database, query, (asked, terms) =>
    deliverySources(asked, terms, madeOf),
  );
  if (query.idsOnly === true) return { rows: ids, next };
  const rows = database
    .prepare(`${DELIVERY_COLUMNS}${BY_ID}${WITH_EVENT_AND_OUTCOME}`)
    .all(JSON.stringify(ids), query.tenant);
  return { rows: rows.map(toDeliveryRow), next };
}

/** What must be so of a delivery, and what that is called. */
export type Part = { readonly name: string; readonly condition: Condition };

type Sources = (query: DeliveryQuery, terms: Terms, parts: readonly Part[]) => readonly Source[];

/** What sources give of the deliveries that a look-up means: the newest ids. */
export function sliceOf(
  database: DatabaseSync,
  query: SliceQuery & DeliveryQuery,
  sourcesOf: Sources,
): Slice<Id> {
  const terms = termsOf(database, query);
  if (terms === undefined) return { rows: [], next: null };
  const parts = partsOf(query, terms);
  const names = parts.map(({ name }) => name);
  const sources = sourcesOf(query, terms, parts);
  const { source, rows, next } = chooseSource(database, sources, query, names);
  const left = parts.filter(({ name }) => !source.covers.includes(name));
  const filter = left.map(({ condition }) => condition);
  const { ids, before } = newestOf(database, source, { ...query, rows, filter });
  return { rows: ids, next: before === null ? null : { before, source: next } };
}

/** Everything that must be so of a delivery. */
function partsOf({ registrationId, eventId, state }: DeliveryQuery, terms: Terms): Part[] {
  const parts: Part[] = [];
  const add = (name: string, sql: string, value: string | number | undefined): void => {
    if (value !== undefined) parts.push({ name, condition: [sql, value] });
  };
  add('event', 'd.event_id = ?', eventId);
  add('registration', 'd.registration_id = ?', registrationId);
  add('state', 'd.state = ?', state === undefined ? undefined : stateCode(state));
  add('outcome', HAS_OUTCOME, jsonOf(terms.outcome));
  add('subject', CARRIES_KEY, jsonOf(terms.subject));
  add('action', CARRIES_KEY, jsonOf(terms.action));
  return parts;
}

function jsonOf(ids: readonly number[] | undefined): string | undefined {
  return ids === undefined ? undefined : JSON.stringify(ids);
}
