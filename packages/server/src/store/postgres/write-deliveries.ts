import type { Id } from '../../core/id.ts';
import { AppError } from '../../core/errors.ts';
import { ALL_SHARDS, shardOf } from '../../core/shard.ts';
import type { Move } from '../port.ts';
import { stateCode, text } from '../rows.ts';
import type { Query, Statement } from './database.ts';
import { FENCE, type Place } from './place.ts';
import { isRowOf, isWithin } from './rows-of-deliveries.ts';
import { follow, lockOrder, reenrol } from './write-order.ts';

const LANE = 'd.shard, d.tenant, d.registration_id';
const IN_ORDER = { pending: 'd.behind, d.due_at, d.id', held: 'd.id' } as const;

/** Some of a lane along the index of their state, where those that were moved before are no more. */
function chosen(state: 'pending' | 'held'): string {
  return `
with ${FENCE},
chosen as materialized (
  select d.tenant, d.id
    from deliveries d
   cross join fence
   where d.state = ${stateCode(state)}
     and ${isWithin(LANE, '$2, $3, $4')}
   order by ${LANE}, ${IN_ORDER[state]}
   limit $5)`;
}

function moving(state: 'pending' | 'held'): Statement {
  return {
    name: `move lane of ${state}`,
    text: `${chosen(state)}
update deliveries d
   set state = $6, leased = 0, behind = false, due_at = $7::bigint, reason = $8::text
  from chosen s
 where ${isRowOf('s')}
   and d.state + 0 = ${stateCode(state)}
returning d.id, d.order_keys`,
  };
}
const MOVE = { pending: moving('pending'), held: moving('held') } as const;

/** Puts what is `gone` from the waiting where the ended are. */
export function cancelled({
  at,
  reason,
}: {
  readonly at: string;
  readonly reason: string;
}): string {
  return `
insert into ended_deliveries
       (tenant, id, event_id, registration_id, picks, class, status, outcome_id, attempts, state,
        ended_at, reason, order_keys, order_seq, sequence, job_id, replay_of)
select tenant, id, event_id, registration_id, picks, class, status, outcome_id, attempts, 4,
       ${at}::bigint, ${reason}, order_keys, order_seq, sequence, job_id, replay_of
  from gone
returning id, order_keys`;
}

function cancelling(state: 'pending' | 'held'): Statement {
  return {
    name: `cancel lane of ${state}`,
    text: `${chosen(state)},
gone as (
  delete from deliveries d
   using chosen s
   where ${isRowOf('s')}
     and d.state + 0 = ${stateCode(state)}
  returning d.*)
${cancelled({ at: '$6', reason: '$7::text' })}`,
  };
}
const CANCEL_SOME = { pending: cancelling('pending'), held: cancelling('held') } as const;

const RETRY_WAITING: Statement = {
  name: 'retry waiting',
  text: `
update deliveries
   set state = 0, leased = 0, behind = false, step = 0, due_at = $3, reason = null
 where tenant = $1
   and id = $2
   and (shard = any($4::smallint[])
        or not exists (select from nodes where epoch = leased >> 32))
returning id`,
};

const FIND: Statement = {
  name: 'find delivery',
  text: `
select registration_id, true as waits
  from deliveries
 where tenant = $1
   and id = $2
 union all
select registration_id, false
  from ended_deliveries
 where tenant = $1
   and id = $2`,
};

const RETRY_ENDED: Statement = {
  name: 'retry ended',
  text: `
with gone as (
  delete from ended_deliveries
   where tenant = $1
     and id = $2
  returning *)
insert into deliveries
       (tenant, id, event_id, registration_id, shard, state, attempts, due_at, picks, class,
        status, outcome_id, order_keys, order_seq, sequence, job_id, replay_of)
select tenant, id, event_id, registration_id, $4, 0, attempts, $3, picks, class, status, outcome_id,
       order_keys, order_seq, sequence, job_id, replay_of
  from gone
returning id`,
};

const CANCEL: Statement = {
  name: 'cancel',
  text: `
with gone as (
  delete from deliveries
   where tenant = $1
     and id = $2
  returning *)
${cancelled({ at: '$3', reason: "'cancelled by hand'" })}`,
};

/** Moves waiting deliveries of one registration; how many. */
export async function move({ database, epoch }: Place, asked: Move): Promise<number> {
  const { tenant, registrationId, from, to, reason, now, limit } = asked;
  const shard = shardOf({ tenant, id: registrationId });
  const some = [epoch(), shard, tenant, registrationId, limit];
  return database.transaction(async (query) => {
    await lockOrder(query, [tenant]);
    const rows =
      to === 'cancelled'
        ? await query(CANCEL_SOME[from], [...some, now, reason])
        : await query(MOVE[from], [...some, stateCode(to), to === 'pending' ? now : null, reason]);
    const ordered = rows.filter((row) => row['order_keys'] !== null);
    await follow(
      query,
      ordered.map((row) => ({ tenant, id: text(row, 'id') })),
    );
    return rows.length;
  });
}

/**
 * Makes one delivery due again, whatever ended it. What another node has in hand cannot be: then it
 * throws `conflict`.
 */
export async function retry(
  query: Query,
  { owns }: Place,
  { tenant, id, now }: { readonly tenant: string; readonly id: Id; readonly now: number },
): Promise<boolean> {
  await lockOrder(query, [tenant]);
  const found = await makeDue(query, owns, { tenant, id, now });
  if (found) await reenrol(query, { tenant, id });
  return found;
}

async function makeDue(
  query: Query,
  owns: Place['owns'],
  { tenant, id, now }: { readonly tenant: string; readonly id: Id; readonly now: number },
): Promise<boolean> {
  const owned = ALL_SHARDS.filter(owns);
  if ((await query(RETRY_WAITING, [tenant, id, now, owned])).length === 1) return true;
  const [found] = await query(FIND, [tenant, id]);
  if (found === undefined) return false;
  if (found['waits'] === true) {
    throw new AppError(
      'conflict',
      `The delivery ${id} is being sent at this moment. Try again in a few seconds.`,
    );
  }
  const shard = shardOf({ tenant, id: text(found, 'registration_id') });
  return (await query(RETRY_ENDED, [tenant, id, now, shard])).length === 1;
}

export async function cancel(
  query: Query,
  { tenant, id, now }: { readonly tenant: string; readonly id: Id; readonly now: number },
): Promise<boolean> {
  await lockOrder(query, [tenant]);
  if ((await query(CANCEL, [tenant, id, now])).length === 0) return false;
  await follow(query, [{ tenant, id }]);
  return true;
}
