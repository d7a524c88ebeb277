import { erasedRecord } from '../erasing.ts';
import type { Settlement } from '../port.ts';
import { text } from '../rows.ts';
import type { Query, Statement } from './database.ts';
import { noteOutcomes } from './outcomes.ts';
import { FENCE, type Place } from './place.ts';
import { isRowOf } from './rows-of-deliveries.ts';
import { layOutWaiting, settleInHand } from './settle-in-hand.ts';
import { settlementColumns } from './settlement-columns.ts';
import { follow, lockOrder } from './write-order.ts';

const GIVEN = `
given as (
  select g.*
    from unnest($2::text[], $3::text[], $4::int[], $5::bigint[], $6::int[], $7::text[],
                $8::smallint[], $9::int[], $10::bigint[], $11::bigint[], $12::text[],
                $13::text[], $14::int[], $15::bigint[], $16::text[])
      as g (tenant, id, number, started_at, duration_ms, record, state, step, due_at, ended_at, reason,
            class, status, outcome_id, bare_record)
   cross join fence)`;

/**
 * What goes on waiting stays where it is, what ended moves; both with the attempt that did it, which
 * is carried along: looking it up in what was given would take the square of the time.
 */
const SETTLE: Statement = {
  name: 'settle',
  text: `
with ${FENCE},
${GIVEN},
waiting as (
  update deliveries d
     set state = g.state,
         leased = 0,
         behind = false,
         attempts = greatest(d.attempts, g.number),
         step = coalesce(g.step, d.step),
         due_at = g.due_at,
         reason = g.reason,
         class = g.class,
         status = g.status,
         outcome_id = g.outcome_id
    from given g
   where g.state in (0, 3)
     and ${isRowOf('g')}
     and d.state + 0 = 0
  returning d.tenant, d.id, g.number, g.started_at, g.duration_ms, g.record),
ended as (
  delete from deliveries d
   using given g
   where g.state not in (0, 3)
     and ${isRowOf('g')}
     and (d.state = 0 or g.state = 1)
  returning d.tenant, d.id, d.event_id, d.registration_id, d.picks,
            greatest(d.attempts, g.number) as attempts, g.state, g.ended_at, g.reason,
            g.class, g.status, g.outcome_id, d.order_keys, d.order_seq, d.sequence, d.job_id, d.replay_of,
            g.number, g.started_at, g.duration_ms, g.record),
moved as (
  insert into ended_deliveries
         (tenant, id, event_id, registration_id, picks, attempts, state, ended_at, reason, class,
          status, outcome_id, order_keys, order_seq, sequence, job_id, replay_of)
  select tenant, id, event_id, registration_id, picks, attempts, state, ended_at, reason, class,
         status, outcome_id, order_keys, order_seq, sequence, job_id, replay_of
    from ended),
settled as materialized (
  select tenant, id, number, started_at, duration_ms, record from waiting
   union all
  select tenant, id, number, started_at, duration_ms, record from ended),
recorded as (
  insert into attempts (tenant, delivery_id, number, started_at, duration_ms, record)
  select *
    from settled
      on conflict do nothing)
select tenant, id
  from settled`,
};

/**
 * What was delivered after all counts, even where it ended otherwise meanwhile; attempts always do.
 * What was held, made pending and claimed again since the first statement is free again: whoever
 * claimed it did so before this attempt was known and counts on that. Of what was erased while it
 * was being sent nothing is kept that was sent or answered.
 */
const SETTLE_LATE: Statement = {
  name: 'settle late',
  text: `
with ${FENCE},
${GIVEN},
ended as (
  update ended_deliveries e
     set state = case when g.state = 1 then 1 else e.state end,
         attempts = greatest(e.attempts, g.number),
         ended_at = case when g.state = 1 and e.state <> 1 then g.ended_at else e.ended_at end,
         reason = case when g.state = 1 then g.reason else e.reason end,
         class = case when e.state = 1 and g.state <> 1 then e.class else g.class end,
         status = case when e.state = 1 and g.state <> 1 then e.status else g.status end,
         outcome_id = case when e.state = 1 and g.state <> 1 then e.outcome_id else g.outcome_id end
    from given g
   where e.tenant = g.tenant
     and e.id = g.id
  returning e.tenant, e.id, e.event_id, g.number, g.started_at, g.duration_ms, g.record, g.bare_record,
            g.state = 1 and e.ended_at = g.ended_at as counts),
waiting as (
  update deliveries d
     set leased = 0,
         attempts = greatest(d.attempts, g.number),
         class = g.class,
         status = g.status,
         outcome_id = g.outcome_id
    from given g
   where ${isRowOf('g')}
  returning d.tenant, d.id, d.event_id, g.number, g.started_at, g.duration_ms, g.record, g.bare_record,
            false as counts),
known as materialized (
  select * from ended
   union all
  select * from waiting),
recorded as (
  insert into attempts (tenant, delivery_id, number, started_at, duration_ms, record)
  select k.tenant, k.id, k.number, k.started_at, k.duration_ms,
         case when exists (
                   select from events e
                    where e.tenant = k.tenant
                      and e.id = k.event_id
                      and e.erased is not null)
              then k.bare_record
              else k.record end
    from known k
      on conflict do nothing)
select tenant, id
  from known
 where counts`,
};

/** Records attempts and moves their deliveries on. */
export async function settle(
  place: Place,
  batch: readonly Settlement[],
): Promise<readonly boolean[]> {
  await noteOutcomes(place.database, batch);
  await layOutWaiting(place, batch);
  const moved = new Set(await settleInHand(place, withoutRepeats(batch)[0] ?? []));
  const others = batch.filter((settlement) => !moved.has(settlement));
  for (const settlement of await settleOthers(place, others)) moved.add(settlement);
  for (const { deliveryId } of batch) place.inHand.remove(deliveryId);
  return batch.map((settlement) => moved.has(settlement));
}

/** Rows of `deliveries`, or of the ended. */
async function settleOthers(
  place: Place,
  batch: readonly Settlement[],
): Promise<readonly Settlement[]> {
  const { database } = place;
  const ordered = batch
    .filter((settlement) => settlement.ordered)
    .map(({ tenant, deliveryId: id }) => ({ tenant, id }));
  if (ordered.length === 0) return settleAll(database.query.bind(database), place.epoch(), batch);
  return database.transaction(async (query) => {
    await lockOrder(
      query,
      ordered.map(({ tenant }) => tenant),
    );
    const settled = await settleAll(query, place.epoch(), batch);
    await follow(query, ordered);
    return settled;
  });
}

async function settleAll(
  query: Query,
  epoch: number,
  batch: readonly Settlement[],
): Promise<readonly Settlement[]> {
  const moved: Settlement[] = [];
  for (const part of withoutRepeats(batch)) moved.push(...(await settlePart(query, epoch, part)));
  return moved;
}

/** One statement changes a row once: what comes twice for a delivery goes into the next one. */
function withoutRepeats(batch: readonly Settlement[]): Settlement[][] {
  const parts: Settlement[][] = [];
  const seen = new Map<string, number>();
  for (const settlement of batch) {
    const part = seen.get(keyOf(settlement.tenant, settlement.deliveryId)) ?? 0;
    seen.set(keyOf(settlement.tenant, settlement.deliveryId), part + 1);
    (parts[part] ??= []).push(settlement);
  }
  return parts;
}

async function settlePart(
  query: Query,
  epoch: number,
  part: readonly Settlement[],
): Promise<Settlement[]> {
  const inTime = await run(query, SETTLE, part, [epoch, ...settlementColumns(part), []]);
  const late = part.filter((settlement) => !inTime.includes(settlement));
  if (late.length === 0) return inTime;
  const erased = late.map(({ attempt }) => erasedRecord(attempt.record));
  const columns = [epoch, ...settlementColumns(late), erased];
  return [...inTime, ...(await run(query, SETTLE_LATE, late, columns))];
}

async function run(
  query: Query,
  statement: Statement,
  part: readonly Settlement[],
  columns: readonly unknown[],
): Promise<Settlement[]> {
  const rows = await query(statement, columns);
  const found = new Set(rows.map((row) => keyOf(text(row, 'tenant'), text(row, 'id'))));
  return part.filter(({ tenant, deliveryId }) => found.has(keyOf(tenant, deliveryId)));
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}/${id}`;
}
