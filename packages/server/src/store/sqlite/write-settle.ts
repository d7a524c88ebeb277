import type { DatabaseSync } from 'node:sqlite';
import { outcomeNumbers } from './outcomes.ts';
import { erasedRecord } from '../erasing.ts';
import { order } from './write-order.ts';
import { type Flat, type Methods, SETTLEMENT_WIDTH, type Value } from './protocol.ts';

const INSERT_ATTEMPT = `
insert into attempts (delivery_id, number, started_at, duration_ms, record)
values (?, ?, ?, ?, ?)`;

/** What was delivered after all counts, even where it was held or cancelled meanwhile. */
const UPDATE_DELIVERY = `
update deliveries
   set state = ?1,
       leased = 0,
       attempts = max(attempts, ?2),
       step = coalesce(?3, step),
       due_at = ?4,
       ended_at = ?5,
       reason = ?6,
       outcome = ?7
 where tenant = ?8
   and id = ?9
   and (state = 0 or (?1 = 1 and state <> 1))`;

/** Finds nothing when the delivery was removed meanwhile: its attempt is not kept then. */
const COUNT_ATTEMPT = `
update deliveries
   set attempts = max(attempts, ?), outcome = case when state = 1 then outcome else ? end
 where tenant = ?
   and id = ?`;

/** Deliveries that were erased while a lane had them: what comes of them is kept without what was sent. */
export type ErasedInHand = Set<Value>;

/** Records attempts and moves their deliveries on; `ordered`: tenant and id of those that others may wait for. */
export function settleWrites(database: DatabaseSync, erased: ErasedInHand): Methods {
  const insertAttempt = database.prepare(INSERT_ATTEMPT);
  const updateDelivery = database.prepare(UPDATE_DELIVERY);
  const { followEach } = order(database);
  const countAttempt = database.prepare(COUNT_ATTEMPT);
  const numbersOfOutcomes = outcomeNumbers(database);

  const keptOf = (id: Value, record: Value): Value =>
    erased.delete(id) ? erasedRecord(String(record)) : record;

  /** tenant, id, number, started at, duration, record, state, step, due at, ended at, reason, class, status, sentence. */
  function settle(rows: Flat, ordered: Flat): boolean[] {
    const written: boolean[] = [];
    const outcomeOf = numbersOfOutcomes();
    for (let at = 0; at < rows.length; at += SETTLEMENT_WIDTH) {
      const [
        tenant = null,
        id = null,
        number = null,
        started = null,
        duration = null,
        record = null,
      ] = rows.slice(at, at + 6);
      const [state = null, step = null, due = null, ended = null, reason = null] = rows.slice(
        at + 6,
        at + 11,
      );
      const outcome = outcomeOf(tenant, rows.slice(at + 11, at + 14));
      const moves = [state, number, step, due, ended, reason, outcome, tenant, id];
      const update = updateDelivery.run(...moves);
      const moved = update.changes === 1;
      const known = moved || countAttempt.run(number, outcome, tenant, id).changes === 1;
      if (known) insertAttempt.run(id, number, started, duration, keptOf(id, record));
      written.push(moved);
    }
    followEach(ordered);
    return written;
  }

  return { settle };
}
