import type { Id } from '../../core/id.ts';
import type { FeedQuery, FeedRow } from '../port.ts';
import { integer, toFeedRow } from '../rows.ts';
import type { Database, Statement } from './database.ts';

const NEXT_OF_REGISTRATION = `
          where tenant = $1
            and registration_id = $2
            and sequence > $3
          order by sequence
          limit $4`;

const FEED: Statement = {
  name: 'feed',
  text: `
select d.sequence, d.id, d.event_id, d.state, d.ended_at, d.picks, e.payload, e.actions
  from ((select tenant, sequence, id, event_id, state, null::bigint as ended_at, picks
           from deliveries${NEXT_OF_REGISTRATION})
         union all
        (select tenant, sequence, id, event_id, state, ended_at, picks
           from ended_deliveries${NEXT_OF_REGISTRATION})
         order by sequence
         limit $4) d
  join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
 order by d.sequence`,
};

const LAST: Statement = {
  name: 'last sequence',
  text: `
select last
  from sequences
 where tenant = $1
   and registration_id = $2`,
};

/** Deliveries of a registration by their numbers. */
export async function feed(
  database: Database,
  { tenant, registrationId, after, limit }: FeedQuery,
): Promise<readonly FeedRow[]> {
  return (await database.query(FEED, [tenant, registrationId, after, limit])).map(toFeedRow);
}

export async function lastSequence(
  database: Database,
  tenant: string,
  registrationId: Id,
): Promise<number> {
  const [row] = await database.query(LAST, [tenant, registrationId]);
  return row === undefined ? 0 : integer(row, 'last');
}
