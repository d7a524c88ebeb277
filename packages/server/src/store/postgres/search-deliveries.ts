import { classOf } from '../../core/explain.ts';
import { type Id, idAt, idTime } from '../../core/id.ts';
import { COUNT_LIMIT, type Count, type DeliveryQuery, type DeliveryRow } from '../port.ts';
import { type Row, stateCode, toDeliveryRow } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';
import { type Asked, choose, readSlice, type Slice, type Source } from './search.ts';
import { addKeys, type Terms, termsOf } from './search-parts.ts';

export const DELIVERY_COLUMNS = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts, d.due_at, d.ended_at,
       d.reason, d.picks, d.sequence, d.behind, d.job_id, d.replay_of, e.actions, e.erased, d.class, d.status, o.sentence`;

export const WITH_EVENT_AND_OUTCOME = `
  join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
  left join outcomes o
    on o.tenant = d.tenant
   and o.id = d.outcome_id`;

const COLUMNS =
  'tenant, id, event_id, registration_id, state, attempts, reason, picks, sequence, class, status, outcome_id, job_id, replay_of';
const WAITING = `select ${COLUMNS}, behind, due_at, null::bigint as ended_at from deliveries`;
const ENDED = `select ${COLUMNS}, false as behind, null::bigint as due_at, ended_at from ended_deliveries`;

/** What waits and what ended, side by side; of one state, only where that is. */
export function allDeliveries(state?: DeliveryQuery['state']): string {
  if (state === 'pending' || state === 'held') return `(${WAITING}) d`;
  if (state !== undefined) return `(${ENDED}) d`;
  return `(${WAITING}
        union all
       ${ENDED}) d`;
}

/** True for deliveries that carry a notification which has the key, and not just others of its event. */
const COMMON_PICK = `(
       k.picks is null
    or d.picks is null
    or exists (
       select from json_array_elements_text(k.picks::json) one
         join json_array_elements_text(d.picks::json) other
           on one = other))`;

/** What a delivery carries has one of these keys. */
export const CARRIES_KEY = `exists (
       select from event_keys k
        where k.tenant = d.tenant
          and k.key = any(?)
          and k.event_id = d.event_id
          and ${COMMON_PICK})`;

export async function deliveries(
  database: Database,
  query: DeliveryQuery,
): Promise<readonly DeliveryRow[]> {
  const asked = { columns: DELIVERY_COLUMNS, joined: WITH_EVENT_AND_OUTCOME };
  const rows: Row[] = [];
  for await (const slice of deliverySlices(database, query, asked)) {
    rows.push(...slice.rows.slice(0, query.limit - rows.length));
    if (rows.length === query.limit) break;
  }
  return rows.map(toDeliveryRow);
}

export async function countDeliveries(
  database: Database,
  query: Omit<DeliveryQuery, 'before' | 'limit'>,
): Promise<Count> {
  let count = 0;
  const asked = { columns: '\nselect d.id', joined: '' };
  const all = { ...query, limit: COUNT_LIMIT + 1 };
  for await (const { rows } of deliverySlices(database, all, asked)) {
    count += rows.length;
    if (count > COUNT_LIMIT) return { count: COUNT_LIMIT, isExact: false };
  }
  return { count, isExact: true };
}

/** All that a look-up means, slice by slice, for as long as the caller goes on. */
export async function* deliverySlices(
  database: Database,
  query: DeliveryQuery,
  wanted: Pick<Asked, 'columns' | 'joined'>,
): AsyncGenerator<Slice, void, Id | undefined> {
  const terms = await termsOf(database, query);
  if (terms === undefined) return;
  const below = query.before === undefined ? {} : { before: query.before };
  const source = await choose(database, sourcesOf(query, terms), below);
  const asked = { ...wanted, id: 'd.id', addFilter: filterOf(query, terms, source) };
  let before = query.before;
  for (let number = 0; ; number += 1) {
    const place = { limit: query.limit, number, ...(before === undefined ? {} : { before }) };
    const slice = await readSlice(database, asked, source, place);
    const goOn = yield slice;
    if (slice.next === null) return;
    before = goOn !== undefined && goOn < slice.next ? goOn : slice.next;
  }
}

/** What the source does not see to. */
function filterOf(query: DeliveryQuery, terms: Terms, { covers }: Source): Asked['addFilter'] {
  const { registrationId, eventId, state, outcome, status } = query;
  const parts: (readonly [name: string, sql: string, value: unknown])[] = [
    ['event', 'd.event_id = ?', eventId],
    ['registration', 'd.registration_id = ?', registrationId],
    ['state', 'd.state = ?', state === undefined ? undefined : stateCode(state)],
    ['class', 'd.class = ?', outcome],
    ['status', 'd.status = ?', status],
    ['text', 'd.outcome_id = any(?)', terms.outcomes],
    ['subject', CARRIES_KEY, terms.subject],
    ['action', CARRIES_KEY, terms.action],
  ];
  const left = parts.filter(([name, , value]) => value !== undefined && !covers.includes(name));
  if (left.length === 0) return null;
  return (conditions) => {
    for (const [, sql, value] of left) conditions.add(sql, value);
  };
}

/** Where the deliveries can be found, the most telling first. */
function sourcesOf(query: DeliveryQuery, terms: Terms): [Source, ...Source[]] {
  const { eventId, registrationId, state } = query;
  const sources: Source[] = [];
  if (eventId !== undefined) sources.push(range(query, 'event', 'd.event_id = ?', eventId));
  if (terms.subject !== undefined) sources.push(ofKeys(query, 'subject', terms.subject));
  const failed = failedClass(query, terms);
  if (failed !== undefined)
    sources.push(range(query, 'class', 'd.state <> 1 and d.class = ?', failed));
  if (state !== undefined && state !== 'delivered')
    sources.push(range(query, 'state', 'd.state <> 1 and d.state = ?', stateCode(state)));
  if (registrationId !== undefined)
    sources.push(range(query, 'registration', 'd.registration_id = ?', registrationId));
  if (terms.action !== undefined) sources.push(ofKeys(query, 'action', terms.action));
  const [first = range(query, 'tenant', 'd.tenant = ?', query.tenant), ...others] = sources;
  return [first, ...others];
}

/** What was delivered is nearly everything, so that no index tells it apart. */
function failedClass({ outcome, status }: DeliveryQuery, { onlyClass }: Terms): string | undefined {
  const kind = outcome ?? onlyClass ?? (status === undefined ? undefined : classOf(status));
  return kind === 'http_2xx' ? undefined : kind;
}

function range(
  query: DeliveryQuery,
  ...[name, sql, value]: readonly [name: string, sql: string, value: unknown]
): Source {
  return {
    from: `\n  from ${allDeliveries(query.state)}`,
    range: (bounds) => {
      const conditions = bounded(query, bounds);
      conditions.add(sql, value);
      return conditions;
    },
    order: 'd.id desc',
    covers: [name],
  };
}

/** An event may be a little older than its deliveries: the ids of one call have about one time. */
const SLACK_MS = 1000;

/** By event: deliveries of one event are older than those of the next. */
function ofKeys(query: DeliveryQuery, name: string, keys: readonly string[]): Source {
  // Of several keys, the one that the event is found by need not be the one that is carried.
  const isOne = keys.length === 1;
  return {
    from: `
  from event_keys k
  join ${allDeliveries(query.state)}
    on d.tenant = k.tenant
   and d.event_id = k.event_id${isOne ? `\n   and ${COMMON_PICK}` : ''}`,
    range: (bounds) => {
      const conditions = bounded(query, bounds);
      addKeys(conditions, query.tenant, keys);
      const { from, to } = query;
      const { before, floor } = bounds;
      if (before !== undefined) conditions.add('k.event_id < ?', before);
      if (to !== undefined) conditions.add('k.event_id < ?', idAt(to + SLACK_MS));
      if (from !== undefined) conditions.add('k.event_id >= ?', idAt(from - SLACK_MS));
      if (floor !== undefined) conditions.add('k.event_id >= ?', idAt(idTime(floor) - SLACK_MS));
      return conditions;
    },
    order: 'd.event_id desc, d.id desc',
    covers: isOne ? [name] : [],
  };
}

function bounded(
  { tenant, from, to }: DeliveryQuery,
  { before, floor }: { readonly before?: Id; readonly floor?: Id },
): Conditions {
  const conditions = new Conditions();
  conditions.add('d.tenant = ?', tenant);
  if (from !== undefined) conditions.add('d.id >= ?', idAt(from));
  if (to !== undefined) conditions.add('d.id < ?', idAt(to));
  if (before !== undefined) conditions.add('d.id < ?', before);
  if (floor !== undefined) conditions.add('d.id >= ?', floor);
  return conditions;
}
