import type { DatabaseSync } from 'node:sqlite';
import type { DeliveryState } from '../../core/delivery.ts';
import { type Id, idAt } from '../../core/id.ts';
import type { DeliveryQuery } from '../port.ts';
import type { Condition } from './conditions.ts';
import { stateCode, text } from '../rows.ts';
import type { Source, Stream } from './search.ts';
import {
  CARRIES_KEY,
  COMMON_PICK,
  DELIVERY_ID,
  KEY_EVENT,
  KEY_EVENT_ID,
  keyStreams,
  type Terms,
} from './search-parts.ts';

/** What jobs made of the events of keys: their ids where these are few, else undefined. */
export type MadeOf = (keys: readonly number[]) => readonly Id[] | undefined;

/** Where the deliveries of a look-up can be found, the most telling first. */
export function deliverySources(
  query: DeliveryQuery,
  terms: Terms,
  madeOf: MadeOf,
): readonly Source[] {
  const { tenant, eventId, registrationId, state } = query;
  const ofTenant: Condition = ['d.tenant = ?', tenant];
  const sources: Source[] = [];
  if (eventId !== undefined)
    sources.push(one('event', stream(BY_EVENT, [ofTenant, ['d.event_id = ?', eventId]])));
  const byKey = indexByKey(query, terms);
  if (terms.subject !== undefined)
    sources.push(ofKeys('subject', { tenant, keys: terms.subject, byKey, madeOf }));
  if (terms.outcome !== undefined && !terms.mayBeDelivered) sources.push(ofOutcomes(terms.outcome));
  if (state !== undefined && isRare(state))
    sources.push(one('state', stream(BY_STATE, [ofTenant, [IN_STATE, stateCode(state)]])));
  if (registrationId !== undefined && state === 'held') sources.push(heldSource(query));
  else if (registrationId !== undefined) {
    const theirs: Condition = ['d.registration_id = ?', registrationId];
    sources.push(one('registration', stream(BY_REGISTRATION, [ofTenant, theirs])));
  }
  if (terms.action !== undefined)
    sources.push(ofKeys('action', { tenant, keys: terms.action, byKey, madeOf }));
  if (sources.length === 0) sources.push(one('tenant', stream('', [ofTenant])));
  if (state === 'pending') sources.push(pendingSource(query));
  return sources;
}

/** How deliveries are joined with the keys of their events. */
export function indexByKey(query: DeliveryQuery, terms: Terms): string {
  return isUncommon(query, terms) ? UNCOMMON_BY_EVENT_OF_KEY : BY_EVENT_OF_KEY;
}

function isRare(state: DeliveryState): boolean {
  return state === 'exhausted' || state === 'held' || state === 'cancelled';
}

/** True when nothing can be meant that waits for its first attempt or was delivered. */
function isUncommon({ state }: DeliveryQuery, { outcome, mayBeDelivered }: Terms): boolean {
  return (state !== undefined && isRare(state)) || (outcome !== undefined && !mayBeDelivered);
}

/** The indices are named, because SQLite without statistics takes the primary key instead. */
const BY_EVENT = 'indexed by deliveries_by_event';
const BY_EVENT_OF_KEY = `${BY_EVENT}
    on d.event_id = lower(hex(k.event_id))`;
const UNCOMMON_BY_EVENT_OF_KEY = `indexed by deliveries_uncommon
    on d.event_id = lower(hex(k.event_id))
   and (d.state > 1 or (d.state = 0 and d.outcome is not null))`;
const BY_JOB = 'indexed by deliveries_by_job';
const BY_STATE = 'indexed by deliveries_by_state';
const IN_STATE = 'd.state > 1 and d.state = ?';
const BY_REGISTRATION = 'indexed by deliveries_by_registration';

function one(name: string, only: Stream): Source {
  return { name, streams: [only], covers: [name] };
}

function stream(index: string, range: readonly Condition[]): Stream {
  return {
    id: 'd.id',
    from: `\n  from deliveries d ${index}`,
    joined: [],
    range,
    bounded: [DELIVERY_ID],
    order: 'd.id desc',
  };
}

type Keyed = {
  readonly tenant: string;
  readonly keys: readonly number[];
  readonly byKey: string;
  readonly madeOf: MadeOf;
};

/** What was made with its event lies where that does; what a job made later is looked through by itself. */
function ofKeys(name: string, { tenant, keys, byKey, madeOf }: Keyed): Source {
  const streams = keyStreams(keys).map((along): Stream => ({
    id: 'd.id',
    from: `${joinedToKeys(byKey)}
   and d.job_id is null`,
    joined: [tenant],
    range: along.range,
    bounded: [DELIVERY_ID, KEY_EVENT_ID],
    order: 'k.event_id desc, d.id desc',
    along,
  }));
  const made = madeOf(keys);
  const later = made === undefined ? ofJobs(tenant, keys) : ofIds(tenant, made);
  return { name, streams: [...streams, later], covers: [name] };
}

/** Deliveries of a tenant that carry a key, with that. */
export function joinedToKeys(byKey: string): string {
  return `
  from key_events k
 cross join deliveries d ${byKey}
   and d.tenant = ?
   and ${COMMON_PICK}`;
}

function ofJobs(tenant: string, keys: readonly number[]): Stream {
  const all = stream(BY_JOB, [['d.job_id is not null and d.tenant = ?', tenant]]);
  const range: Condition[] = [...all.range, [CARRIES_KEY, JSON.stringify(keys)]];
  return { ...all, range, along: all };
}

function ofIds(tenant: string, ids: readonly Id[]): Stream {
  const isOne: Condition = ['d.id in (select value from json_each(?))', JSON.stringify(ids)];
  return stream('', [['d.tenant = ?', tenant], isOne]);
}

/** With more events, or more that was made of them, what all jobs made is looked through instead. */
const FEW = 1000;

/**
 * Looks up what jobs made of the events of keys. Few people have many events, and many jobs may have
 * sent the events of others again.
 */
export function madeOfFew(database: DatabaseSync, tenant: string): MadeOf {
  const sql = `
select k.event_id, d.id
  from (select event_id, picks
          from key_events
         where key_id in (select value from json_each(?1))
         limit ${FEW + 1}) k
  left join deliveries d indexed by deliveries_by_event_of_job
    on d.tenant = ?2
   and d.event_id = ${KEY_EVENT}
   and d.job_id is not null
   and ${COMMON_PICK}
 limit ${FEW + 1}`;
  return (keys) => {
    if (!hasMadeByJobs(database, tenant, 0)) return [];
    const rows = database.prepare(sql).all(JSON.stringify(keys), tenant);
    if (rows.length > FEW) return undefined;
    return rows.flatMap((row) => (row['id'] === null ? [] : [text(row, 'id')]));
  };
}

/** Since that time. */
export function hasMadeByJobs(database: DatabaseSync, tenant: string, since: number): boolean {
  const sql = `
select 1
  from deliveries d ${BY_JOB}
 where d.job_id is not null
   and d.tenant = ?
   and d.id >= ?
 limit 1`;
  return database.prepare(sql).get(tenant, idAt(since)) !== undefined;
}

function ofOutcomes(outcomes: readonly number[]): Source {
  const streams = outcomes.map((outcome) =>
    stream('indexed by deliveries_by_outcome', [['d.state <> 1 and d.outcome = ?', outcome]]),
  );
  return { name: 'outcome', streams, covers: ['outcome'] };
}

function heldSource({ tenant, registrationId = '' }: DeliveryQuery): Source {
  const range: Condition[] = [
    ['d.state = 3 and d.tenant = ?', tenant],
    ['d.registration_id = ?', registrationId],
  ];
  const streams = [stream('indexed by deliveries_held', range)];
  return { name: 'held', streams, covers: ['state', 'registration'] };
}

/** In order of when they are due, so that all are read for the newest: chosen only while they are few. */
function pendingSource({ tenant, registrationId }: DeliveryQuery): Source {
  const range: Condition[] = [['d.state = 0 and d.tenant = ?', tenant]];
  if (registrationId !== undefined) range.push(['d.registration_id = ?', registrationId]);
  const covers = registrationId === undefined ? ['state'] : ['state', 'registration'];
  const streams = [stream('indexed by deliveries_pending', range)];
  return { name: 'pending', streams, covers };
}
