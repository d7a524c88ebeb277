import { classOf } from '../../core/explain.ts';
import { type Id, idAt } from '../../core/id.ts';
import { COUNT_LIMIT, type Count, type DeliveryQuery, type DeliveryRow } from '../port.ts';
import { stateCode, text, toDeliveryRow } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database, Statement } from './database.ts';
import { madeOfFew } from './made-by-jobs.ts';
import { ANY_STATE } from './rows-of-deliveries.ts';
import {
  type Asked,
  type Bounds,
  choose,
  type From,
  type Slice,
  slicesOf,
  type Source,
} from './search.ts';
import { alongKeys, COMMON_PICK, newestOfKeys, type Terms, termsOf } from './search-parts.ts';

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
const WAITING = waiting(` where ${ANY_STATE}`);
const ENDED = `(select ${COLUMNS}, false as behind, null::bigint as due_at, ended_at from ended_deliveries) d`;

function waiting(which = ''): string {
  return `(select ${COLUMNS}, behind, due_at, null::bigint as ended_at from deliveries${which}) d`;
}

/** What waits and what ended; of one state, only where that is. */
export function tablesOf(state: DeliveryQuery['state']): readonly string[] {
  if (state === 'pending' || state === 'held') return [WAITING];
  return state === undefined ? [WAITING, ENDED] : [ENDED];
}

/** What waits and what ended, side by side. */
export function allDeliveries(): string {
  return `(select * from ${WAITING}
        union all
       select * from ${ENDED}) d`;
}

/** What a delivery carries has one of these keys. */
export const CARRIES_KEY = `exists (
       select from event_keys k
        where k.tenant = d.tenant
          and k.key = any(?)
          and k.event_id = d.event_id
          and ${COMMON_PICK})`;

/** Each is looked up by itself, however large PostgreSQL thinks the tables are: `offset` keeps them apart. */
const BY_ID: Statement = {
  name: 'found deliveries',
  text: `${DELIVERY_COLUMNS}
  from unnest($2::text[]) wanted (id)
 cross join lateral (${[waiting(), ENDED]
   .map(
     (table) => `
       select d.*
         from ${table}
        where d.tenant = $1
          and d.id = wanted.id collate "C"`,
   )
   .join('\n        union all')}
       offset 0) d
 cross join lateral (
       select *
         from events
        where tenant = $1
          and id = d.event_id
       offset 0) e
  left join outcomes o
    on o.tenant = $1
   and o.id = d.outcome_id`,
};

export async function deliveries(
  database: Database,
  query: DeliveryQuery,
): Promise<readonly DeliveryRow[]> {
  const ids: Id[] = [];
  for await (const { rows } of deliverySlices(database, query)) {
    ids.push(...rows.slice(0, query.limit - ids.length).map((row) => text(row, 'id')));
    if (ids.length === query.limit) break;
  }
  const found = (await database.query(BY_ID, [query.tenant, ids])).map(toDeliveryRow);
  const byId = new Map(found.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id)).filter((row) => row !== undefined);
}

export async function countDeliveries(
  database: Database,
  query: Omit<DeliveryQuery, 'before' | 'limit'>,
): Promise<Count> {
  let count = 0;
  for await (const { rows } of deliverySlices(database, { ...query, limit: COUNT_LIMIT + 1 })) {
    count += rows.length;
    if (count > COUNT_LIMIT) return { count: COUNT_LIMIT, isExact: false };
  }
  return { count, isExact: true };
}

/** The ids of all that a look-up means, slice by slice, for as long as the caller goes on. */
async function* deliverySlices(database: Database, query: DeliveryQuery): AsyncGenerator<Slice> {
  const terms = await termsOf(database, query);
  if (terms === undefined) return;
  const below = query.before === undefined ? {} : { before: query.before };
  const made = await madeOf(database, query.tenant, terms);
  const source = await choose(database, sourcesOf(query, terms, made), below);
  const addFilter = filterOf(query, terms, source);
  const asked = { columns: 'd.id', id: 'd.id', addFilter };
  yield* slicesOf(database, asked, source, { ...below, limit: query.limit });
}

/** By name of the words: what jobs made of the events that have them, where that is little. */
type Made = { readonly subject?: readonly Id[]; readonly action?: readonly Id[] };

async function madeOf(database: Database, tenant: string, terms: Terms): Promise<Made> {
  const { subject, action } = terms;
  const ofSubject = subject && (await madeOfFew(database, tenant, subject));
  const ofAction = action && (await madeOfFew(database, tenant, action));
  return { ...(ofSubject && { subject: ofSubject }), ...(ofAction && { action: ofAction }) };
}

/** What the source does not see to. */
export function filterOf(
  query: DeliveryQuery,
  terms: Terms,
  { covers }: Source,
): Asked['addFilter'] {
  const { registrationId, eventId, state, outcome, status } = query;
  const kind = failedClass(query, terms) ?? outcome;
  const parts: (readonly [name: string, sql: string, value: unknown])[] = [
    ['event', 'd.event_id = ?', eventId],
    ['registration', 'd.registration_id = ?', registrationId],
    ['state', 'd.state = ?', state === undefined ? undefined : stateCode(state)],
    ['class', 'd.class = ?', kind],
    ['status', 'd.status = ?', status],
    ['text', 'd.outcome_id = any(?)', terms.outcomes],
    ['subject', CARRIES_KEY, terms.subject],
    ['action', CARRIES_KEY, terms.action],
  ];
  const left = parts.filter(([name, , value]) => value !== undefined && !covers.includes(name));
  if (left.length === 0) return null;
  // Said as the indexes of what did not deliver at once say it, so that they are taken.
  const also = isUncommon(query, terms) ? 'd.state <> 1 and ' : '';
  return (conditions) => {
    for (const [, sql, value] of left) conditions.add(also + sql, value);
  };
}

/** True when nothing that was delivered can be meant. */
function isUncommon(query: DeliveryQuery, terms: Terms): boolean {
  const { state } = query;
  const isOther = state !== undefined && state !== 'delivered';
  return isOther || failedClass(query, terms) !== undefined;
}

/** `by`: what a source is a range of, said of a delivery, or the keys of its events. */
export type DeliverySource = Source & {
  readonly by: { readonly sql: string; readonly value: unknown } | Keyed;
};

/** Where the deliveries can be found, the most telling first. */
export function sourcesOf(
  query: DeliveryQuery,
  terms: Terms,
  made: Made,
): [DeliverySource, ...DeliverySource[]] {
  const { eventId, registrationId, state } = query;
  const sources: DeliverySource[] = [];
  if (eventId !== undefined) sources.push(range(query, 'event', 'd.event_id = ?', eventId));
  if (terms.subject !== undefined)
    sources.push(ofKeys(query, { name: 'subject', keys: terms.subject, made: made.subject }));
  const failed = failedClass(query, terms);
  if (failed !== undefined)
    sources.push(range(query, 'class', 'd.state <> 1 and d.class = ?', failed));
  if (state !== undefined && state !== 'delivered')
    sources.push(range(query, 'state', 'd.state <> 1 and d.state = ?', stateCode(state)));
  if (registrationId !== undefined)
    sources.push(range(query, 'registration', 'd.registration_id = ?', registrationId));
  if (terms.action !== undefined)
    sources.push(ofKeys(query, { name: 'action', keys: terms.action, made: made.action }));
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
): DeliverySource {
  return {
    by: { sql, value },
    place: (bounds) => {
      const conditions = bounded(query, bounds);
      conditions.add(sql, value);
      return {
        from: tablesOf(query.state).map((table) => (where) => `\n  from ${table}${where}`),
        conditions,
      };
    },
    order: 'd.id desc',
    covers: [name],
  };
}

type Keyed = {
  readonly name: 'subject' | 'action';
  readonly keys: readonly string[];
  /** Undefined where it is not known. */
  readonly made: readonly Id[] | undefined;
};

/**
 * By event: deliveries that were made with one are older than those of the next, and it is known in
 * which days they are. What a job made later is looked through by itself.
 */
function ofKeys(query: DeliveryQuery, by: Keyed): DeliverySource {
  const { name, keys } = by;
  // Of several keys, the one that the event is found by need not be the one that is carried.
  const isOne = keys.length === 1;
  return {
    by,
    along: alongKeys(query, keys),
    place: (bounds, rows) => {
      const conditions = bounded(query, bounds);
      const events = newestOfKeys(conditions, { query, keys, bounds, rows });
      const tables = tablesOf(query.state);
      const from = tables.map((table) => joinedToKeys(events, table, { isOne, isMade: true }));
      const carries = conditions.elsewhere();
      if (by.made === undefined) carries.add(CARRIES_KEY, keys);
      else carries.add('d.id = any(?)', by.made);
      const made = tables.map(
        (table) => (where: string) =>
          `\n  from ${table}${where}\n   and d.job_id is not null${carries.and}`,
      );
      return { from: [...from, ...made], conditions };
    },
    order: 'd.id desc',
    covers: isOne ? [name] : [],
  };
}

/** The deliveries of these events: those that were made with them, or what jobs made later. */
export function joinedToKeys(
  events: string,
  ...[table, { isOne, isMade }]: readonly [
    table: string,
    { readonly isOne: boolean; readonly isMade: boolean },
  ]
): From {
  const soon = table === WAITING ? '' : ' and d.id > k.event_id and d.id < k.soon';
  const when = isMade ? `${soon} and d.job_id is null` : ' and d.job_id is not null';
  const picks = isOne ? `\n          and ${COMMON_PICK}` : '';
  return (where) => `
  from ${events}
 cross join lateral (
       select d.*
         from ${table}${where}
          and d.event_id = k.event_id${when}${picks}
       offset 0) d`;
}

function bounded({ tenant, from, to }: DeliveryQuery, { before, floor }: Bounds): Conditions {
  const conditions = new Conditions();
  conditions.add('d.tenant = ?', tenant);
  if (from !== undefined) conditions.add('d.id >= ?', idAt(from));
  if (to !== undefined) conditions.add('d.id < ?', idAt(to));
  if (before !== undefined) conditions.add('d.id < ?', before);
  if (floor !== undefined) conditions.add('d.id >= ?', floor);
  return conditions;
}
