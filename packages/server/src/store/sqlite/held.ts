import type { DatabaseSync } from 'node:sqlite';
import type { RegistrationRef } from '../../core/registration.ts';
import { HELD_AT_ONCE, MAX_TEXT, toHeldPage } from '../job-rows.ts';
import type { HeldCancellation, HeldPage } from '../held.ts';
import { type Row, text } from '../rows.ts';
import type { Methods } from './protocol.ts';
import { order } from './write-order.ts';

const HELD = `
select id
  from deliveries indexed by deliveries_held
 where state = 3
   and tenant = ?
   and registration_id = ?
   and (? is null or id < ?)
 order by id desc
 limit ?`;

const ONE_HELD = `
select d.id, d.picks, e.actions, e.payload
  from deliveries d
 cross join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
 where d.tenant = ?
   and d.id = ?`;

const CANCEL_HELD = `
update deliveries
   set state = 4, ended_at = ?, reason = ?
 where tenant = ?
   and id = ?
   and registration_id = ?
   and state = 3`;

export function heldReads(database: DatabaseSync): Methods {
  return {
    held: ({ tenant, id }: RegistrationRef, before: string | null): HeldPage => {
      const ids = database.prepare(HELD).all(tenant, id, before, before, HELD_AT_ONCE);
      const one = database.prepare(ONE_HELD);
      const rows: Row[] = [];
      let size = 0;
      for (const row of ids) {
        if (size > MAX_TEXT) break;
        const found = one.get(tenant, text(row, 'id'));
        if (found === undefined) continue;
        rows.push(found);
        size += text(found, 'payload').length;
      }
      return toHeldPage(rows, ids.length);
    },
  };
}

export function heldWrites(database: DatabaseSync): Methods {
  const cancelHeld = database.prepare(CANCEL_HELD);
  const { follow } = order(database);
  return {
    cancelHeld: (
      { tenant, id: registrationId }: RegistrationRef,
      { ids, reason, now }: HeldCancellation,
    ) => {
      let cancelled = 0;
      for (const id of ids) {
        if (cancelHeld.run(now, reason, tenant, id, registrationId).changes === 0) continue;
        follow(tenant, id);
        cancelled += 1;
      }
      return cancelled;
    },
  };
}
