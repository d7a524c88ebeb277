import type { DeliveryQuery } from '../port.ts';
import type { Condition } from './conditions.ts';
import { stateCode } from '../rows.ts';
import type { Source, Stream } from './search.ts';
import { COMMON_PICK, DELIVERY_ID, KEY_EVENT_ID, type Terms } from './search-parts.ts';

/** Where the deliveries of a look-up can be found, the most telling first. */
export function deliverySources(query: DeliveryQuery, terms: Terms): readonly Source[] {
  const { tenant, eventId, registrationId, state } = query;
  const ofTenant: Condition = ['d.tenant = ?', tenant];
  const sources: Source[] = [];
  if (eventId !== undefined)
    sources.push(one('event', stream(BY_EVENT, [ofTenant, ['d.event_id = ?', eventId]])));
  if (terms.subject !== undefined) sources.push(ofKeys('subject', tenant, terms.subject));
  if (terms.outcome !== undefined && !terms.mayBeDelivered) sources.push(ofOutcomes(terms.outcome));
  if (state === 'exhausted' || state === 'held' || state === 'cancelled')
    sources.push(one('state', stream(BY_STATE, [ofTenant, [IN_STATE, stateCode(state)]])));
  if (registrationId !== undefined) {
    const theirs: Condition = ['d.registration_id = ?', registrationId];
    sources.push(one('registration', stream(BY_REGISTRATION, [ofTenant, theirs])));
  }
  if (terms.action !== undefined) sources.push(ofKeys('action', tenant, terms.action));
  if (sources.length === 0) sources.push(one('tenant', stream('', [ofTenant])));
  if (state === 'pending') sources.push(pendingSource(query));
  return sources;
}

/** The indices are named, because SQLite without statistics takes the primary key instead. */
const BY_EVENT = 'indexed by deliveries_by_event';
const BY_STATE = 'indexed by deliveries_by_state';
const IN_STATE = 'd.state in (2, 3, 4) and d.state = ?';
const BY_REGISTRATION = 'indexed by deliveries_by_registration';

function one(name: string, only: Stream): Source {
  return { name, streams: [only], covers: [name] };
}

function stream(index: string, range: readonly Condition[]): Stream {
  return {
    select: `\nselect d.id\n  from deliveries d ${index}`,
    joined: [],
    range,
    bounded: [DELIVERY_ID],
    order: 'd.id desc',
  };
}

function ofKeys(name: string, tenant: string, keys: readonly number[]): Source {
  const streams = keys.map((key): Stream => ({
    select: `
select d.id
  from key_events k
 cross join deliveries d ${BY_EVENT}
    on d.tenant = ?
   and d.event_id = lower(hex(k.event_id))
   and ${COMMON_PICK}`,
    joined: [tenant],
    range: [['k.key_id = ?', key]],
    bounded: [DELIVERY_ID, KEY_EVENT_ID],
    order: 'k.event_id desc, d.id desc',
  }));
  return { name, streams, covers: [name] };
}

function ofOutcomes(outcomes: readonly number[]): Source {
  const streams = outcomes.map((outcome) =>
    stream('indexed by deliveries_by_outcome', [['d.state <> 1 and d.outcome = ?', outcome]]),
  );
  return { name: 'outcome', streams, covers: ['outcome'] };
}

/** In order of when they are due, so that all are read for the newest: chosen only while they are few. */
function pendingSource({ tenant, registrationId }: DeliveryQuery): Source {
  const range: Condition[] = [['d.state = 0 and d.tenant = ?', tenant]];
  if (registrationId !== undefined) range.push(['d.registration_id = ?', registrationId]);
  const covers = registrationId === undefined ? ['state'] : ['state', 'registration'];
  const streams = [stream('indexed by deliveries_pending', range)];
  return { name: 'pending', streams, covers };
}
