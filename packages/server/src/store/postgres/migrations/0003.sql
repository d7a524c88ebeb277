-- Deliveries that the node which accepted them has in hand since: new ones, which wait for nothing but their first
-- attempt. Those of a tenant and a commit share a row until they have ended, or until somebody looks for them among
-- `deliveries`, where they are put then. batch: what they are leased as. The arrays are each as long as ids.
create table deliveries_in_hand (
  tenant           text collate "C" not null,
  batch            bigint not null,
  part             integer not null,
  ids              text[] collate "C" not null,
  event_ids        text[] collate "C" not null,
  registration_ids text[] collate "C" not null,
  shards           smallint[] not null,
  due_at           bigint[] not null,
  picks            text[] not null,
  sequences        bigint[] not null,
  primary key (tenant, batch, part)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- Packed, random ids would hardly become shorter.
alter table deliveries_in_hand
  alter column ids set storage external,
  alter column event_ids set storage external,
  alter column registration_ids set storage external,
  alter column sequences set storage external;
