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
