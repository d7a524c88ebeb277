import type { Id } from '../../core/id.ts';
import { shardOf } from '../../core/shard.ts';
import type { LaneClaim, LaneRoom, Recovery } from '../port.ts';
import { integer, integerOrNull, type Row, text } from '../rows.ts';
import type { Statement } from './database.ts';
import { EVERYTHING, goneOf, layOut, layOutRows, OF_NO_NODE, postedTo } from './lay-out.ts';
import { lease, toDelivery } from './leasing.ts';
import { FENCE, type Place } from './place.ts';
import { isRowOf, isWithin } from './rows-of-deliveries.ts';
import { orderedOwners } from './write-order.ts';

/** What is pending of a lane and whose turn has come, in the order of the index of what is pending. */
function ofLane(lane: string): string {
  const values = `${lane}.shard, ${lane}.tenant, ${lane}.registration_id, false`;
  return `d.state = 0
            and ${isWithin('d.shard, d.tenant, d.registration_id, d.behind', values)}`;
}
const LANE_ORDER = 'order by d.shard, d.tenant, d.registration_id, d.behind, d.due_at, d.id';

/**
 * Each lane reads one more than it has room for: the first that is left behind, or not due yet,
 * tells when the lane has to look again. What nodes had leased that send for the lane no more can
 * be claimed. "+ 0" keeps the update from the index of what is pending.
 */
const CLAIM: Statement = {
  name: 'claim',
  text: `
with ${FENCE},
lanes as (
  select l.*
    from unnest($3::int[], $4::smallint[], $5::text[], $6::text[], $7::int[])
      as l (lane, shard, tenant, registration_id, room)
   cross join fence),
next as materialized (
  select l.lane, d.tenant, d.id, d.due_at,
         d.due_at <= $8::bigint and d.position <= l.room as wanted
    from lanes l
   cross join lateral (
         select d.tenant, d.id, d.due_at,
                row_number() over (${LANE_ORDER}) as position
           from deliveries d
          where ${ofLane('l')}
            and d.leased >> 32 <> $1
          ${LANE_ORDER}
          limit l.room + 1) d),
leased as (
  update deliveries d
     set leased = $2
    from next n
   where n.wanted
     and ${isRowOf('n')}
     and d.state + 0 = 0
     and d.leased >> 32 <> $1
  returning n.lane, n.due_at, d.tenant, d.id, d.event_id, d.registration_id, d.attempts, d.step, d.picks,
            d.order_keys is not null as ordered, d.sequence, d.replay_of)
select l.lane, l.due_at, l.tenant, l.id, l.event_id, l.registration_id, l.attempts, l.step, l.picks, l.ordered,
       l.sequence, l.replay_of, e.payload, e.actions, e.trace, null::bigint as next_due_at
  from leased l
  join events e
    on e.tenant = l.tenant
   and e.id = l.event_id
 union all
select lane, null, null, null, null, null, null, null, null, null, null, null, null, null, null, min(due_at)
  from next
 where not wanted
 group by lane
 order by 2, 4`,
};

const RELEASE: Statement = {
  name: 'release',
  text: `
with ${FENCE}
update deliveries d
   set leased = 0
  from unnest($2::text[], $3::text[]) as g (tenant, id), fence
 where ${isRowOf('g')}
   and d.state + 0 = 0
   and d.leased >> 32 = $1`,
};

const UNLEASE: Statement = {
  name: 'unlease',
  text: `
with ${FENCE}
update deliveries
   set leased = 0
  from fence
 where state = 0
   and shard = any($2::smallint[])
   and leased >> 32 = $1`,
};

/** Each registration that has some, one index probe each: a loose index scan. */
function owners(state: 0 | 3): string {
  return `
with recursive owners as (
  (select s.shard, d.tenant, d.registration_id
     from unnest($1::smallint[]) as s (shard)
    cross join lateral (
          select tenant, registration_id
            from deliveries
           where state = ${state}
             and shard = s.shard
           order by tenant, registration_id
           limit 1) d)
   union all
  select o.shard, d.tenant, d.registration_id
    from owners o
   cross join lateral (
         select tenant, registration_id
           from deliveries
          where state = ${state}
            and shard = o.shard
            and (tenant, registration_id) > (o.tenant, o.registration_id)
          order by tenant, registration_id
          limit 1) d)`;
}

const PENDING: Statement = {
  name: 'pending',
  text: `${owners(0)}
select o.tenant, o.registration_id, d.due_at
  from owners o
 cross join lateral (
       select d.due_at
         from deliveries d
        where ${ofLane('o')}
          and d.leased >> 32 <> $2
        ${LANE_ORDER}
        limit 1) d
 order by o.tenant, o.registration_id`,
};

const HELD: Statement = {
  name: 'held',
  text: `${owners(3)}
select tenant, registration_id
  from owners
 order by tenant, registration_id`,
};

/** Leases what is due, and tells each lane when to look again. */
export async function claim(
  place: Place,
  lanes: readonly LaneRoom[],
  now: number,
): Promise<readonly LaneClaim[]> {
  await layOut(
    place.database,
    postedTo(lanes.map(({ tenant, registrationId: id }) => ({ tenant, id }))),
  );
  const rows = await lease(place, CLAIM, [...laneColumns(lanes), now]);
  const byLane = Map.groupBy(rows, (row) => integer(row, 'lane'));
  return lanes.map((_, index) => toClaim(byLane.get(index) ?? []));
}

function laneColumns(lanes: readonly LaneRoom[]): unknown[][] {
  return [
    lanes.map((_, index) => index),
    lanes.map(({ tenant, registrationId }) => shardOf({ tenant, id: registrationId })),
    lanes.map(({ tenant }) => tenant),
    lanes.map(({ registrationId }) => registrationId),
    lanes.map(({ room }) => room),
  ];
}

function toClaim(rows: readonly Row[]): LaneClaim {
  const left = rows.find((row) => row['id'] === null);
  return {
    deliveries: rows.filter((row) => row !== left).map(toDelivery),
    nextDueAt: left === undefined ? null : integerOrNull(left, 'next_due_at'),
  };
}

export async function release(
  { database, epoch, inHand }: Place,
  deliveries: readonly { readonly tenant: string; readonly id: Id }[],
): Promise<void> {
  const rows = new Set(deliveries.flatMap(({ id }) => inHand.get(id)?.row ?? []));
  await layOutRows(database, [...rows]);
  for (const row of rows) inHand.removeRow(row);
  const tenants = deliveries.map(({ tenant }) => tenant);
  const ids = deliveries.map(({ id }) => id);
  await database.query(RELEASE, [epoch(), tenants, ids]);
}

/** What waits in these shards, after what this node had leased there was given back. */
export async function recover(place: Place, shards: readonly number[]): Promise<Recovery> {
  const { database, epoch } = place;
  await layOut(database, EVERYTHING);
  await database.query(UNLEASE, [epoch(), shards]);
  return { ...(await waiting(place, shards)), ordered: await orderedOwners(database, shards) };
}

export async function waiting(place: Place, shards: readonly number[]): Promise<Recovery> {
  const { database, epoch } = place;
  await layOut(database, OF_NO_NODE);
  await forgetLaidOut(place);
  const [pending, held] = await Promise.all([
    database.query(PENDING, [shards, epoch()]),
    database.query(HELD, [shards]),
  ]);
  return {
    pending: pending.map((row) => ({ ...ownerOf(row), nextDueAt: integer(row, 'due_at') })),
    held: held.map(ownerOf),
    ordered: [],
  };
}

/** Others lay out what this node has in hand as well, and what of it was moved does not come back here. */
async function forgetLaidOut({ database, inHand }: Place): Promise<void> {
  for (const row of await goneOf(database, inHand.rows)) inHand.removeRow(row);
}

function ownerOf(row: Row): { tenant: string; registrationId: string } {
  return { tenant: text(row, 'tenant'), registrationId: text(row, 'registration_id') };
}
