import type { Id } from '../../core/id.ts';
import type { Settlement } from '../port.ts';
import { text } from '../rows.ts';
import type { Statement } from './database.ts';
import type { HandRow, InHandDelivery } from './in-hand.ts';
import { columnsOf, layOutRows } from './lay-out.ts';
import { FENCE, type Place } from './place.ts';
import { settlementColumns } from './settlement-columns.ts';

/**
 * What ended at the first attempt and is in hand since it was accepted: its row of `deliveries` is
 * spared. Of what somebody has laid out nothing is written. The row that it shares with others is locked,
 * so that nobody lays it out meanwhile.
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
                $13::smallint[], $14::int[], $15::bigint[], $16::bigint[], $17::text[],
                $18::text[], $19::int[], $20::bigint[], $21::text[], $22::text[], $23::text[], $24::bigint[])
      as g (place, tenant, id, number, started_at, duration_ms, record, state, step, due_at, ended_at, reason,
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
    ...settlementColumns(endings.map(({ settlement }) => settlement)),
    endings.map(({ known }) => known.eventId),
    endings.map(({ known }) => known.registrationId),
    endings.map(({ known }) => known.picks),
    endings.map(({ known }) => known.sequence),
  ]);
  const ids = new Set(written.map((row) => text(row, 'id')));
  return endings.flatMap(({ settlement }) => (ids.has(settlement.deliveryId) ? settlement : []));
}

function idsOf(endings: readonly Ending[]): ReadonlySet<Id> {
  return new Set(endings.map(({ settlement }) => settlement.deliveryId));
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
