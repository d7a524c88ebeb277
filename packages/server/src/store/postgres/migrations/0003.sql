-- New deliveries, which wait for nothing but their first attempt: in hand of the node that accepted them, or for the one
-- that sends for their registration to take. Those of a tenant and a commit that go the same way share a row until they
-- have ended, or until somebody looks for them among `deliveries`, where they are put then. batch: the number of what
-- accepted them; leased: as there, for all of them. posted_to: the registration where they are for another node. The
-- arrays are each as long as ids.
create table deliveries_in_hand (
  tenant           text collate "C" not null,
  batch            bigint not null,
  part             integer not null,
  leased           bigint not null,
  posted_to        text collate "C",
  ids              text[] collate "C" not null,
  event_ids        text[] collate "C" not null,
  registration_ids text[] collate "C" not null,
  shards           smallint[] not null,
  due_at           bigint[] not null,
  picks            text[] not null,
  sequences        bigint[] not null,
  primary key (tenant, batch, part)
) with (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 0,
  toast.autovacuum_vacuum_scale_factor = 0.02,
  toast.autovacuum_vacuum_cost_delay = 0
);
create index deliveries_posted on deliveries_in_hand (tenant, posted_to) where leased = 0;
-- Packed, random ids would hardly become shorter.
alter table deliveries_in_hand
  alter column ids set storage external,
  alter column event_ids set storage external,
  alter column registration_ids set storage external,
  alter column sequences set storage external;

-- Makes rows of `deliveries`, leased as before, of what is in these rows and has not ended. Whoever ends deliveries of a row
-- locks it; the second statement sees all that had ended when the first one got the locks. A function, so that no node
-- which stands still between the two keeps the locks.
create function lay_out(tenants text[], batches bigint[], parts integer[]) returns void language plpgsql as $$
begin
  perform
    from unnest(tenants, batches, parts) as g (tenant, batch, part)
    join deliveries_in_hand h
      on h.tenant = g.tenant
     and h.batch = g.batch
     and h.part = g.part
   order by h.tenant, h.batch, h.part
     for update of h;
  with gone as (
    delete from deliveries_in_hand h
     using unnest(tenants, batches, parts) as g (tenant, batch, part)
     where h.tenant = g.tenant
       and h.batch = g.batch
       and h.part = g.part
    returning h.*)
  insert into deliveries (tenant, id, event_id, registration_id, shard, state, leased, due_at, picks, sequence)
  select g.tenant, d.id, d.event_id, d.registration_id, d.shard, 0, g.leased, d.due_at, d.picks, d.sequence
    from gone g
   cross join lateral unnest(g.ids, g.event_ids, g.registration_ids, g.shards, g.due_at, g.picks, g.sequences)
      as d (id, event_id, registration_id, shard, due_at, picks, sequence)
   where (select count(*)
            from (select
                    from ended_deliveries e
                   where e.tenant = g.tenant
                     and e.id = d.id
                   limit 1) e) = 0;
end
$$;
