import type { DatabaseSync } from 'node:sqlite';
import type { Id } from '../../core/id.ts';
import type { EventQuery, EventRow } from '../port.ts';
import type { Condition } from './conditions.ts';
import { sourcesOfEvents } from './event-sources.ts';
import type { Slice } from './protocol.ts';
import { toEventRow } from '../rows.ts';
import { chooseSource, newestOf, type SliceQuery, type Source } from './search.ts';
import { sliceOf } from './search-deliveries.ts';
import { eventHasKey, keyStreams, type Terms, termsOf } from './search-parts.ts';

export const EVENT_COLUMNS = `
select e.tenant, e.id, e.accepted_at, e.occurred_at, e.actions, e.payload, e.erased`;

const BY_ID = `
  from json_each(?) c
 cross join events e
    on e.tenant = ?
   and e.id = c.value`;

type Found = EventRow | Id;

/** The newest events that a look-up means, looking through one slice of a source at most. */
export function searchEvents(database: DatabaseSync, query: SliceQuery & EventQuery): Slice<Found> {
  return isOfDeliveries(query) ? eventsOfDeliveries(database, query) : ownEvents(database, query);
}

/** True when something is asked that deliveries answer. */
function isOfDeliveries({
  registrationId,
  state,
  outcome,
  status,
  text: words,
}: EventQuery): boolean {
  return [registrationId, state, outcome, status, words].some((each) => each !== undefined);
}

function ownEvents(database: DatabaseSync, query: SliceQuery & EventQuery): Slice<Found> {
  const terms = termsOf(database, query);
  if (terms === undefined) return { rows: [], next: null };
  const choice = chooseSource(database, eventSources(query, terms), query, partsOf(query));
  const filter = keyFilter(terms, choice.source);
  const { ids, before } = newestOf(database, choice.source, {
    ...query,
    rows: choice.rows,
    filter,
  });
  const next = before === null ? null : { before, source: choice.next };
  return { rows: readEvents(database, query, ids), next };
}

function eventSources({ tenant }: EventQuery, { subject, action }: Terms): Source[] {
  const sources: Source[] = [];
  if (subject !== undefined)
    sources.push({ name: 'subject', streams: keyStreams(subject), covers: ['subject'] });
  if (action !== undefined)
    sources.push({ name: 'action', streams: keyStreams(action), covers: ['action'] });
  if (sources.length > 0) return sources;
  const all = {
    id: 'e.id',
    from: '\n  from events e indexed by events_by_id',
    joined: [],
    range: [['e.tenant = ?', tenant] as const],
    bounded: [{ id: 'e.id', asId: '?', slackMs: 0 } as const],
    order: 'e.id desc',
  };
  return [{ name: 'tenant', streams: [all], covers: [] }];
}

function partsOf({ subject, action }: EventQuery): string[] {
  return [subject === undefined ? [] : ['subject'], action === undefined ? [] : ['action']].flat();
}

function keyFilter({ subject, action }: Terms, { covers }: Source): Condition[] {
  const filter: Condition[] = [];
  if (subject !== undefined && !covers.includes('subject')) filter.push(eventHasKey(subject));
  if (action !== undefined && !covers.includes('action')) filter.push(eventHasKey(action));
  return filter;
}

function readEvents(
  database: DatabaseSync,
  { tenant, idsOnly }: SliceQuery & EventQuery,
  ids: readonly Id[],
): readonly Found[] {
  if (idsOnly === true) return ids;
  return database
    .prepare(`${EVENT_COLUMNS}${BY_ID}`)
    .all(JSON.stringify(ids), tenant)
    .map(toEventRow);
}

function eventsOfDeliveries(database: DatabaseSync, query: SliceQuery & EventQuery): Slice<Found> {
  const slice = sliceOf(database, query, (...asked) => sourcesOfEvents(database, ...asked));
  return { rows: readEvents(database, query, slice.rows), next: slice.next };
}
