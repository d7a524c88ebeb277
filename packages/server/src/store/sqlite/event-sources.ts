import type { DatabaseSync } from 'node:sqlite';
import type { Id } from '../../core/id.ts';
import type { EventQuery } from '../port.ts';
import { text } from '../rows.ts';
import type { Condition } from './conditions.ts';
import { deliverySources, hasMadeByJobs, indexByKey, joinedToKeys } from './delivery-sources.ts';
import type { Part } from './search-deliveries.ts';
import type { Source, Stream } from './search.ts';
import { KEY_EVENT, keyStreams, type Terms } from './search-parts.ts';

/**
 * Where the events of deliveries can be found, in the order of events. Deliveries that were made with
 * their event are younger than that and older than the next one, so that they lie in its order too.
 * What a job made later does not, and is read along an index of its own where there is any.
 */
export function sourcesOfEvents(
  database: DatabaseSync,
  query: EventQuery,
  ...[terms, parts]: readonly [Terms, readonly Part[]]
): readonly Source[] {
  const { tenant } = query;
  // A delivery is younger than its event, however it was made.
  const isMixed = hasMadeByJobs(database, tenant, query.from ?? 0);
  const knownDownTo = (id: Id): Id => madeDownTo(database, tenant, id);
  return deliverySources(query, terms, () => []).map((source) => {
    const keys = keysOf(source, terms);
    if (keys !== undefined) return { ...source, streams: byKeys(query, terms, keys) };
    const made = source.streams.map((along) => madeWithEvents(along, tenant, isMixed));
    const covered = parts.filter(({ name }) => source.covers.includes(name));
    const conditions = covered.map(({ condition }) => condition);
    const later = isMixed ? [madeByJobs(tenant, conditions)] : [];
    return { ...source, streams: [...made, ...later], knownDownTo };
  });
}

const OF_JOBS = 'd.job_id is not null and d.tenant = ?';

function keysOf({ name }: Source, { subject, action }: Terms): readonly number[] | undefined {
  if (name === 'subject') return subject;
  return name === 'action' ? action : undefined;
}

function byKeys(query: EventQuery, terms: Terms, keys: readonly number[]): Stream[] {
  return keyStreams(keys).map((along) => ({
    ...along,
    id: KEY_EVENT,
    from: joinedToKeys(indexByKey(query, terms)),
    joined: [query.tenant],
    along,
  }));
}

/** Rows that are not meant are passed over in the index: only what is left is read for its event. */
function madeWithEvents(along: Stream, tenant: string, isMixed: boolean): Stream {
  const joined = `
 cross join deliveries o
    on o.tenant = ?
   and o.id = c.id${isMixed ? '\n   and o.job_id is null' : ''}`;
  return {
    ...along,
    along,
    turned: { id: 'o.event_id', joined, values: [tenant], isWhole: !isMixed },
  };
}

/** The event down to which all are known when deliveries are, down to this one. */
function madeDownTo(database: DatabaseSync, tenant: string, id: Id): Id {
  const sql = `
select event_id
  from deliveries
 where tenant = ?
   and id = ?
   and job_id is null`;
  const row = database.prepare(sql).get(tenant, id);
  return row === undefined ? id : text(row, 'event_id');
}

function madeByJobs(tenant: string, conditions: readonly Condition[]): Stream {
  const along: Stream = {
    id: 'd.event_id',
    from: '\n  from deliveries d indexed by deliveries_by_event_of_job',
    joined: [],
    range: [[OF_JOBS, tenant]],
    bounded: [{ id: 'd.event_id', asId: '?', slackMs: 0 }],
    order: 'd.event_id desc',
    isShared: true,
  };
  return { ...along, range: [...along.range, ...conditions], along };
}
