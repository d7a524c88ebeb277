import type { Delivery } from '../../core/delivery.ts';
import type { Arrival } from '../port.ts';
import { integer, type Row, text, textOrNull } from '../rows.ts';
import { namedIn } from './arrivals.ts';
import type { Statement } from './database.ts';
import type { HandRow } from './in-hand.ts';
import { columnsOf, keyOf, toHandRow } from './lay-out.ts';
import { lease, toDelivery } from './leasing.ts';
import { FENCE, type Place } from './place.ts';
import { isRowOf } from './rows-of-deliveries.ts';

/**
 * What was posted together, and was neither taken nor laid out. "+ 0" keeps it from the index of what is posted; a
 * limit keeps PostgreSQL from joining all events of the tenant first, which it takes for none while there are few.
 */
const CLAIM_POSTED: Statement = {
  name: 'claim posted',
  text: `
with ${FENCE},
taken as (
  update deliveries_in_hand h
     set leased = $2
    from unnest($3::text[], $4::bigint[], $5::int[]) as r (tenant, batch, part), fence
   where h.tenant = r.tenant
     and h.batch = r.batch
     and h.part = r.part
     and h.leased + 0 = 0
  returning h.*)
select t.tenant, t.batch, t.part, d.*, 0 as attempts, 0 as step, false as ordered, null as replay_of,
       e.payload, e.actions, e.trace
  from taken t
 cross join lateral unnest(t.ids, t.event_ids, t.registration_ids, t.picks, t.sequences)
    as d (id, event_id, registration_id, picks, sequence)
 cross join lateral (
       select payload, actions, trace
         from events
        where tenant = t.tenant
          and id = d.event_id
        limit 1) e
 order by d.id`,
};

/** By name: nothing that others have in hand, or that has ended, need be passed on the way. */
const CLAIM_ARRIVED: Statement = {
  name: 'claim arrived',
  text: `
with ${FENCE},
leased as (
  update deliveries d
     set leased = $2
    from unnest($3::text[], $4::text[]) as a (tenant, id), fence
   where ${isRowOf('a')}
     and d.state + 0 = 0
     and d.attempts = 0
     and not d.behind
     and d.leased >> 32 <> $1
  returning d.tenant, d.id, d.event_id, d.registration_id, d.attempts, d.step, d.picks,
            d.order_keys is not null as ordered, d.sequence, d.replay_of)
select l.*, e.payload, e.actions, e.trace
  from leased l
  join events e
    on e.tenant = l.tenant
   and e.id = l.event_id
 order by l.id`,
};

/** Leases these, as far as nothing was done about them yet. */
export async function claimArrived(
  place: Place,
  arrivals: readonly Arrival[],
): Promise<readonly Delivery[]> {
  const { rows, own } = namedIn(arrivals);
  const posted = rows.length === 0 ? [] : await lease(place, CLAIM_POSTED, columnsOf(rows));
  takeInHand(place, posted);
  return [...posted, ...(await claimOwn(place, own))].map(toDelivery);
}

/** Where this fails, what was posted is in hand all the same; the caller looks for what is missing. */
async function claimOwn(
  place: Place,
  own: ReturnType<typeof namedIn>['own'],
): Promise<readonly Row[]> {
  if (own.length === 0) return [];
  const columns = [own.map(({ tenant }) => tenant), own.map(({ id }) => id)];
  return lease(place, CLAIM_ARRIVED, columns).catch(() => []);
}

function takeInHand({ inHand }: Place, posted: readonly Row[]): void {
  const rows = new Map<string, HandRow>();
  for (const found of posted) {
    const row = toHandRow(found);
    const key = keyOf(row);
    const known = rows.get(key) ?? row;
    rows.set(key, known);
    inHand.add(text(found, 'id'), {
      row: known,
      eventId: text(found, 'event_id'),
      registrationId: text(found, 'registration_id'),
      picks: textOrNull(found, 'picks'),
      sequence: integer(found, 'sequence'),
    });
  }
}
