import type { DatabaseSync } from 'node:sqlite';
import type { FeedQuery } from '../port.ts';
import { integer, toFeedRow } from '../rows.ts';
import type { Methods } from './protocol.ts';

const FEED = `
select d.sequence, d.id, d.event_id, d.state, d.ended_at, d.picks, e.payload, e.actions
  from numbered_deliveries n
 cross join deliveries d
    on d.tenant = ?1
   and d.id = lower(hex(n.delivery_id))
 cross join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
 where n.sequence_id = (select id from sequences where tenant = ?1 and registration_id = ?2)
   and n.sequence > ?3
 order by n.sequence
 limit ?4`;

/** What is kept knows the last number, or what is not kept any more. */
export const LAST_SEQUENCE = `
select s.id,
       max(s.last, coalesce((select max(sequence) from numbered_deliveries where sequence_id = s.id), 0)) as last
  from sequences s
 where tenant = ?
   and registration_id = ?`;

/** Deliveries of a registration by their numbers. */
export function feedReads(database: DatabaseSync): Methods {
  return {
    feed: ({ tenant, registrationId, after, limit }: FeedQuery) =>
      database.prepare(FEED).all(tenant, registrationId, after, limit).map(toFeedRow),
    lastSequence: (tenant: string, registrationId: string) => {
      const row = database.prepare(LAST_SEQUENCE).get(tenant, registrationId);
      return row === undefined ? 0 : integer(row, 'last');
    },
  };
}
