import type { Id } from '../../core/id.ts';
import type { RegistrationRef } from '../../core/registration.ts';
import { shardOf } from '../../core/shard.ts';
import type { HeldCancellation, HeldPage } from '../held.ts';
import { HELD_AT_ONCE, MAX_TEXT, toHeldPage } from '../job-rows.ts';
import { integer, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';
import { cancelled } from './write-deliveries.ts';
import { follow, lockOrder } from './write-order.ts';

/** The newest until they are large together. */
const HELD: Statement = {
  name: 'held of registration',
  text: `
with looked as materialized (
  select id, event_id, picks
    from deliveries
   where state = 3
     and shard = $1
     and tenant = $2
     and registration_id = $3
     and ($4::text is null or id < $4)
   order by id desc
   limit $5),
sized as (
  select l.id, l.picks, e.actions, e.payload, (select count(*) from looked) as looked,
         sum(octet_length(e.payload)) over (order by l.id desc rows between unbounded preceding and 1 preceding) as size
    from looked l
   cross join lateral (
         select actions, payload
           from events
          where tenant = $2
            and id = l.event_id
          limit 1) e)
select id, picks, actions, payload, looked
  from sized
 where coalesce(size, 0) <= $6
 order by id desc`,
};

const CANCEL_HELD: Statement = {
  name: 'cancel held',
  text: `
with gone as (
  delete from deliveries
   where tenant = $1
     and id = any($2::text[])
     and registration_id = $3
     and state + 0 = 3
  returning *)
${cancelled({ at: '$4', reason: '$5' })}`,
};

export async function held(
  database: Database,
  { tenant, id }: RegistrationRef,
  before: Id | null,
): Promise<HeldPage> {
  const place = [shardOf({ tenant, id }), tenant, id, before];
  const rows = await database.query(HELD, [...place, HELD_AT_ONCE, MAX_TEXT]);
  return toHeldPage(rows, rows[0] === undefined ? 0 : integer(rows[0], 'looked'));
}

export function cancelHeld(
  database: Database,
  { tenant, id: registrationId }: RegistrationRef,
  { ids, reason, now }: HeldCancellation,
): Promise<number> {
  return database.transaction(async (query) => {
    await lockOrder(query, [tenant]);
    const rows = await query(CANCEL_HELD, [tenant, ids, registrationId, now, reason]);
    const ordered = rows.filter((row) => row['order_keys'] !== null);
    await follow(
      query,
      ordered.map((row) => ({ tenant, id: text(row, 'id') })),
    );
    return rows.length;
  });
}
