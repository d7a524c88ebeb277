import type { Id } from '../../core/id.ts';
import type { Settlement } from '../port.ts';
import { stateCode, text } from '../rows.ts';
import type { Statement } from './database.ts';
import type { HandRow, InHandDelivery } from './in-hand.ts';
import { columnsOf, layOutRows } from './lay-out.ts';
import { outcomeColumns } from './outcomes.ts';
import { FENCE, type Place } from './place.ts';

/**
 * What ended at the first attempt and is in hand since it was accepted: its row of `deliveries` is
 * spared. Nothing is written of what somebody has laid out; that nobody does meanwhile the row that it
 * shares with others is locked for.
 */
const SETTLE_IN_HAND: Statement = {
  name: 'settle in hand',
  text: `
with ${FENCE},
held as materialized (
  select h.tenant, h.batch, h.part, r.place, r.is_over
    from unnest($2::text[], $3::bigint[], $4::int[], $5::bool[]) with ordinality
      as r (tenant, batch, part, is_over, place)
   cross join fence
    join deliveries_in_hand h
      on h.tenant = r.tenant
     and h.batch = r.batch
     and h.part = r.part
   order by h.tenant, h.batch, h.part
     for update of h),
over as (
  delete from deliveries_in_hand h
   using held o
   where o.is_over
     and h.tenant = o.tenant
     and h.batch = o.batch
     and h.part = o.part),
given as materialized (
  select *
    from unnest($6::int[], $7::text[], $8::text[], $9::int[], $10::bigint[], $11::int[], $12::text[],
                $13::smallint[], $14::bigint[], $15::text[], $16::text[], $17::int[], $18::bigint[],
                $19::text[], $20::text[], $21::text[], $22::bigint[])
      as g (place, tenant, id, number, started_at, duration_ms, record, state, ended_at, reason,
            class, status, outcome_id, event_id, registration_id, picks, sequence)
   where place = any(array(select place from held))),
ended as (
  insert into ended_deliveries
         (tenant, id, event_id, registration_id, picks, attempts, state, ended_at, reason, class,
          status, outcome_id, sequence)
  select tenant, id, event_id, registration_id, picks, number, state, ended_at, reason, class,
         status, outcome_id, sequence
    from given
      on conflict do nothing),
recorded as (
  insert into attempts (tenant, delivery_id, number, started_at, duration_ms, record)
  select tenant, id, number, started_at, duration_ms, record
    from given
      on conflict do nothing)
select tenant, id
  from given`,
};

/** A settlement, and what its node knows of the delivery. */
type Ending = { readonly settlement: Settlement; readonly known: InHandDelivery };

/**
 * Ends what can be ended so; which of them. The others are rows of `deliveries`. One statement: a node
 * that stands still between two would keep others from laying out what it has.
 */
export async function settleInHand(
  { database, epoch, inHand }: Place,
  part: readonly Settlement[],
): Promise<readonly Settlement[]> {
  const endings = part.flatMap((settlement): Ending[] => {
    const known = inHand.get(settlement.deliveryId);
    return known === undefined ? [] : [{ settlement, known }];
  });
  if (endings.length === 0) return [];
  const byRow = Map.groupBy(endings, ({ known }) => known.row);
  const rows = [...byRow.keys()];
  const areOver = rows.map((row) => inHand.isAllOf(row, idsOf(byRow.get(row) ?? [])));
  const places = new Map(rows.map((row, index) => [row, index + 1]));
  const written = await database.query(SETTLE_IN_HAND, [
    epoch(),
    ...columnsOf(rows),
    areOver,
    endings.map(({ known }) => places.get(known.row)),
    ...endingColumns(endings),
  ]);
  const ids = new Set(written.map((row) => text(row, 'id')));
  return endings.flatMap(({ settlement }) => (ids.has(settlement.deliveryId) ? settlement : []));
}

function idsOf(endings: readonly Ending[]): ReadonlySet<Id> {
  return new Set(endings.map(({ settlement }) => settlement.deliveryId));
}

function endingColumns(endings: readonly Ending[]): unknown[][] {
  const settlements = endings.map(({ settlement }) => settlement);
  const known = endings.map((ending) => ending.known);
  const attempts = settlements.map(({ attempt }) => attempt);
  return [
    settlements.map(({ tenant }) => tenant),
    settlements.map(({ deliveryId }) => deliveryId),
    attempts.map(({ number }) => number),
    attempts.map(({ startedAt }) => startedAt),
    attempts.map(({ durationMs }) => durationMs),
    attempts.map(({ record }) => record),
    settlements.map(({ next }) => stateCode(next.state)),
    attempts.map(({ startedAt, durationMs }) => startedAt + durationMs),
    settlements.map(({ next }) => (next.state === 'pending' ? null : next.reason)),
    ...outcomeColumns(settlements),
    known.map(({ eventId }) => eventId),
    known.map(({ registrationId }) => registrationId),
    known.map(({ picks }) => picks),
    known.map(({ sequence }) => sequence),
  ];
}

/** What has to be tried again, or is held, waits as a row of its own. */
export async function layOutWaiting(
  { database, inHand }: Place,
  batch: readonly Settlement[],
): Promise<void> {
  const rows = new Set<HandRow>();
  for (const { deliveryId, next } of batch) {
    const row = inHand.get(deliveryId)?.row;
    if (row !== undefined && (next.state === 'pending' || next.state === 'held')) rows.add(row);
  }
  await layOutRows(database, [...rows]);
  for (const row of rows) inHand.removeRow(row);
}
