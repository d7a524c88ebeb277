import { shardOf } from '../../core/shard.ts';
import type { ToldAt } from '../../core/streak.ts';
import type { StreakChange, StreakOf } from '../port.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Statement } from './database.ts';
import { FENCE, type Place } from './place.ts';

const OF_SHARDS: Statement = {
  name: 'streaks',
  text: 'select * from streaks where shard = any($1::smallint[])',
};

/** Those without a streak are removed; those of registrations that are gone are not kept. */
const PUT: Statement = {
  name: 'put streaks',
  text: `
with ${FENCE},
changes as (
  select c.*
    from unnest($2::text[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::boolean[])
      as c (tenant, id, shard, failures, since, told, was_off)
   cross join fence),
gone as (
  delete from streaks s
   using changes c
   where s.tenant = c.tenant
     and s.registration_id = c.id
     and c.failures is null)
insert into streaks (tenant, registration_id, shard, failures, since, told, was_off)
select c.tenant, c.id, c.shard, c.failures, c.since, c.told, c.was_off
  from changes c
  join registrations r
    on r.tenant = c.tenant
   and r.id = c.id
 where c.failures is not null
    on conflict (tenant, registration_id) do update
   set failures = excluded.failures,
       since = excluded.since,
       told = excluded.told,
       was_off = excluded.was_off`,
};

export async function streaks(
  { database }: Place,
  shards: readonly number[],
): Promise<readonly StreakOf[]> {
  return (await database.query(OF_SHARDS, [shards])).map(toStreak);
}

export async function putStreaks(
  { database, epoch }: Place,
  changed: readonly StreakChange[],
): Promise<void> {
  await database.query(PUT, [
    epoch(),
    changed.map(({ tenant }) => tenant),
    changed.map(({ id }) => id),
    changed.map(shardOf),
    changed.map(({ streak }) => streak?.failures ?? null),
    changed.map(({ streak }) => streak?.since ?? null),
    changed.map(({ streak }) => streak?.told ?? null),
    changed.map(({ streak }) => streak?.wasOff ?? null),
  ]);
}

function toStreak(row: Row): StreakOf {
  const [tenant, id] = [text(row, 'tenant'), text(row, 'registration_id')];
  const [failures, since] = [integer(row, 'failures'), integer(row, 'since')];
  const told = integer(row, 'told') as ToldAt | 0;
  return { tenant, id, streak: { failures, since, told, wasOff: row['was_off'] === true } };
}
