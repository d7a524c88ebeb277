import type { NodeRow } from '../port.ts';
import { integer, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';
import { FENCE } from './place.ts';

export const JOIN: Statement = {
  name: 'join',
  text: `
insert into nodes (name, version, expires_at)
values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
returning epoch, pg_notify('schoolbell', 'nodes')`,
};

/** Renews this node's lease and shows all nodes with their shards; epoch 0 has those of nobody. */
export const BEAT: Statement = {
  name: 'beat',
  text: `
with renewed as (
  update nodes
     set expires_at = clock_timestamp() + $2 * interval '1 millisecond'
   where epoch = $1
  returning epoch)
select n.epoch,
       n.expires_at < clock_timestamp() and n.epoch <> $1
         and pg_postmaster_start_time() < clock_timestamp() - $2 * interval '1 millisecond' as expired,
       array(select shard from shards s where s.epoch = n.epoch order by shard) as shards,
       exists (select from renewed) as alive,
       (select version from configuration) as version
  from nodes n
 union all
select 0, false,
       array(select shard from shards s
              where s.epoch is null or not exists (select from nodes n where n.epoch = s.epoch)
              order by shard),
       exists (select from renewed),
       (select version from configuration)`,
};

export const GIVE_UP: Statement = {
  name: 'give up nodes',
  text: `
delete from nodes
 where epoch = any($1::bigint[])
   and expires_at < clock_timestamp()`,
};

export const TAKE: Statement = {
  name: 'take shards',
  text: `
with ${FENCE},
free as (
  select shard
    from shards s
   where s.epoch is null
      or not exists (select from nodes n where n.epoch = s.epoch)
   order by shard
   limit $2
     for update skip locked)
update shards s
   set epoch = $1
  from free f, fence
 where s.shard = f.shard
returning s.shard`,
};

export const GIVE: Statement = {
  name: 'give shards',
  text: `
with given as (
  update shards
     set epoch = null
   where epoch = $1
     and shard = any($2::smallint[])
  returning shard)
select pg_notify('schoolbell', 'nodes')
  from given
 limit 1`,
};

export const LEAVE: Statement = {
  name: 'leave',
  text: `
with gone as (
  delete from nodes
   where epoch = $1
  returning epoch)
select pg_notify('schoolbell', 'nodes')
  from gone`,
};

const NODES: Statement = {
  name: 'nodes',
  text: `
select n.name, n.version,
       (extract(epoch from n.started_at) * 1000)::bigint as started_at,
       (select count(*) from shards s where s.epoch = n.epoch) as shards,
       greatest(0, $1 - extract(epoch from n.expires_at - clock_timestamp()) * 1000)::bigint as silent_ms
  from nodes n
 order by n.epoch`,
};

export async function nodes(database: Database, leaseMs: number): Promise<readonly NodeRow[]> {
  const rows = await database.query(NODES, [leaseMs]);
  return rows.map((row) => ({
    name: text(row, 'name'),
    version: text(row, 'version'),
    startedAt: integer(row, 'started_at'),
    shards: integer(row, 'shards'),
    silentMs: integer(row, 'silent_ms'),
  }));
}
