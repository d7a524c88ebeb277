-- Times are milliseconds since 1970. Ids sort by their bytes. The tenant comes first in every key
-- of what belongs to a tenant, so that the tables can be spread by it.

create table tenants (
  id       text collate "C" primary key,
  document text not null,
  removing boolean not null default false
);

create table api_keys (
  tenant   text collate "C" not null,
  id       text collate "C" not null,
  document text not null,
  primary key (tenant, id)
);

-- Read whole at start and kept in memory: one JSON document each, as text.
create table registrations (
  tenant   text collate "C" not null,
  id       text collate "C" not null,
  document text not null,
  primary key (tenant, id)
);
create unique index registrations_in_any_case on registrations (tenant, lower(id));

-- Endpoints that fail, since when, and what was told of it; written once a minute.
create table streaks (
  tenant          text collate "C" not null,
  registration_id text collate "C" not null,
  shard           smallint not null,
  failures        bigint not null,
  since           bigint not null,
  told            smallint not null,
  was_off         boolean not null,
  primary key (tenant, registration_id)
);
create index streaks_by_shard on streaks (shard);

create table filters (
  name     text collate "C" primary key,
  document text not null
);

create table settings (
  name  text collate "C" primary key,
  value text not null
);

-- Every change of what nodes keep in memory takes the next version, in the order of commits.
create table configuration (
  only_row boolean primary key default true check (only_row),
  version  bigint not null
);
insert into configuration (version) values (0);

create table configuration_changes (
  version    bigint primary key,
  kind       text not null,
  tenant     text collate "C" not null,
  id         text collate "C" not null,
  changed_at timestamptz not null default now()
);

-- A node is named by its epoch, which is never used again: what a node writes names the epoch it
-- joined with, and is refused once that row is gone.
create sequence node_epochs;
create table nodes (
  epoch      bigint primary key default nextval('node_epochs'),
  name       text not null,
  version    text not null,
  url        text,
  started_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);

create table shards (
  shard smallint primary key,
  epoch bigint
);
insert into shards (shard) select generate_series(0, 63);

create table idempotency (
  tenant text collate "C" not null,
  key    text collate "C" not null,
  hash   text not null,
  answer text not null,
  at     bigint not null,
  primary key (tenant, key)
);
create index idempotency_by_age on idempotency (at);

-- Partitions hold a day each, by the time that an id begins with; what fits none is in the last one.
-- erased: which notifications were, as a JSON list; of these the payload keeps nothing.
create table events (
  tenant      text collate "C" not null,
  id          text collate "C" not null,
  accepted_at bigint not null,
  occurred_at bigint,
  actions     text collate "C" not null,
  payload     text not null,
  trace       text,
  erased      text,
  primary key (tenant, id)
) partition by range (id);
create table events_other partition of events default;

-- Events whose notifications at `picks` are erased once the deliveries that carry them have ended.
create table erasures (
  tenant   text collate "C" not null,
  event_id text collate "C" not null,
  receipt  text not null,
  picks    text not null,
  cancels  boolean not null,
  primary key (tenant, event_id)
);

-- Tables in whose files something may be left of what was erased, and since when.
create table unscrubbed (
  name text primary key,
  mark text not null
);

-- What events are found by: 'action <filter>', 'learner <value>', 'course <value>'.
-- picks: which notifications have the key; null for all of them.
create table event_keys (
  tenant   text collate "C" not null,
  key      text collate "C" not null,
  event_id text collate "C" not null,
  picks    text,
  primary key (tenant, key, event_id)
) partition by range (event_id);
create table event_keys_other partition of event_keys default;

-- Events whose keys are not noted yet.
create table unindexed_events (
  tenant text collate "C" not null,
  id     text collate "C" not null,
  primary key (tenant, id)
);

-- What attempts came to, each once a tenant, as people search it; its id is a hash of the rest.
create table outcomes (
  tenant   text collate "C" not null,
  id       bigint not null,
  class    text collate "C" not null,
  status   integer,
  sentence text not null,
  primary key (tenant, id)
);

-- Work that makes deliveries of what lies in the past. document: what was asked for, as JSON;
-- cursor: what it has come to; subject: a person's name for as long as it is needed.
create table jobs (
  tenant          text collate "C" not null,
  id              text collate "C" not null,
  registration_id text collate "C" not null,
  shard           smallint not null,
  state           text not null check (state in ('running', 'paused', 'done', 'cancelled')),
  document        text not null,
  subject         text,
  cursor          text collate "C",
  done            bigint not null default 0,
  reason          text,
  ended_at        bigint,
  primary key (tenant, id),
  check ((state in ('done', 'cancelled')) = (ended_at is not null)),
  check (subject is null or ended_at is null)
);
create index jobs_by_registration on jobs (tenant, registration_id, id);
create index jobs_unfinished on jobs (tenant, id) where ended_at is null;
create index jobs_running on jobs (shard, id) where state = 'running';
create index jobs_by_age on jobs (ended_at) where ended_at is not null;

-- Deliveries that wait. state: 0 pending, 3 held. behind: others come first in its registration's
-- order. leased: 0, or the number of the batch that put it into a node's memory, which counts for
-- nothing once that node is gone; in no index, so that a lease writes one row and nothing else.
create table deliveries (
  tenant          text collate "C" not null,
  id              text collate "C" not null,
  event_id        text collate "C" not null,
  registration_id text collate "C" not null,
  shard           smallint not null,
  state           smallint not null check (state in (0, 3)),
  leased          bigint not null default 0,
  behind          boolean not null default false,
  attempts        integer not null default 0,
  step            integer not null default 0,
  due_at          bigint,
  reason          text,
  picks           text,
  class           text collate "C",
  status          integer,
  outcome_id      bigint,
  order_keys      text,
  order_seq       bigint,
  job_id          text collate "C",
  replay_of       text collate "C",
  sequence        bigint,
  check ((state = 0) = (due_at is not null)),
  check (leased = 0 or state = 0),
  check (not behind or state = 0)
) with (
  fillfactor = 45,
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0.05
);
-- The first and the third hold every row, and serve only what says "state >= 0": what looks for a row by its id is to take
-- the primary key, whatever PostgreSQL thinks of the table.
create index deliveries_by_registration on deliveries (tenant, registration_id, id) where state >= 0;
create index deliveries_by_sequence on deliveries (tenant, registration_id, sequence) where sequence is not null;
create index deliveries_by_event on deliveries (tenant, event_id) where state >= 0;
create index deliveries_by_class on deliveries (tenant, class, id, registration_id) where class is not null;
create index deliveries_uncommon on deliveries (tenant, event_id, class) where class is not null;
create index deliveries_by_job on deliveries (tenant, id) where job_id is not null;
create index deliveries_by_event_of_job on deliveries (tenant, event_id, registration_id, state, class) where job_id is not null;
create index deliveries_pending on deliveries (shard, tenant, registration_id, behind, due_at, id) where state = 0;
create index deliveries_held on deliveries (shard, tenant, registration_id, id) where state = 3;
-- Last of all: of indexes that seem equally good PostgreSQL takes the youngest, and all do while it thinks
-- that the table has but a few rows.
alter table deliveries add primary key (tenant, id);
-- This table is mostly empty, and grows faster than PostgreSQL looks at it. Without this it takes a tenant for a row
-- or two, and any index that begins with the tenant for as good as the right one: a backlog would be read whole for
-- each delivery that is claimed. It is the same with a registration: what is pending of one is to be read in order of
-- time, and not all that it has. What is known of a column stays known while the table is empty.
alter table deliveries alter column tenant set (n_distinct = 1), alter column registration_id set (n_distinct = 10);
insert into deliveries (tenant, id, event_id, registration_id, shard, state, due_at) values ('', '', '', '', 0, 0, 0);
analyze deliveries;
delete from deliveries;

-- Deliveries that ended. state: 1 delivered, 2 exhausted, 4 cancelled.
create table ended_deliveries (
  tenant          text collate "C" not null,
  id              text collate "C" not null,
  event_id        text collate "C" not null,
  registration_id text collate "C" not null,
  state           smallint not null check (state in (1, 2, 4)),
  attempts        integer not null,
  ended_at        bigint not null,
  reason          text,
  picks           text,
  class           text collate "C",
  status          integer,
  outcome_id      bigint,
  order_keys      text,
  order_seq       bigint,
  job_id          text collate "C",
  replay_of       text collate "C",
  sequence        bigint
) partition by range (id);
-- What did not deliver at once. The registration is there so that rows of other ones need not be read.
create index ended_by_class on ended_deliveries (tenant, class, id, registration_id) where state <> 1;
create index ended_by_state on ended_deliveries (tenant, state, id, registration_id) where state <> 1;
create index ended_uncommon on ended_deliveries (tenant, event_id, class) where state <> 1;
create index ended_by_registration on ended_deliveries (tenant, registration_id, id);
create index ended_by_sequence on ended_deliveries (tenant, registration_id, sequence);
create index ended_by_event on ended_deliveries (tenant, event_id);
-- Deliveries that are younger than their events by more than a moment.
create index ended_by_job on ended_deliveries (event_id) where job_id is not null;
create index ended_by_event_of_job on ended_deliveries (tenant, event_id, registration_id, state, class) where job_id is not null;
create index ended_of_jobs on ended_deliveries (tenant, id) where job_id is not null;
alter table ended_deliveries add primary key (tenant, id);
create table ended_deliveries_other partition of ended_deliveries default;

-- The last number that a registration has given one of its deliveries.
create table sequences (
  tenant          text collate "C" not null,
  registration_id text collate "C" not null,
  last            bigint not null,
  primary key (tenant, registration_id)
) with (fillfactor = 30, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- One row for each key of an ordered delivery until it ends: the first of a key is the delivery
-- whose turn it is.
create sequence order_places;
create table order_keys (
  tenant          text collate "C" not null,
  registration_id text collate "C" not null,
  key             text collate "C" not null,
  seq             bigint not null,
  delivery_id     text collate "C" not null,
  primary key (tenant, registration_id, key, seq, delivery_id)
);
create index order_keys_by_delivery on order_keys (tenant, delivery_id);

-- record: JSON of the outcome and the request's headers.
create table attempts (
  tenant      text collate "C" not null,
  delivery_id text collate "C" not null,
  number      integer not null,
  started_at  bigint not null,
  duration_ms integer not null,
  record      text not null,
  primary key (tenant, delivery_id, number, started_at)
) partition by range (delivery_id);
create table attempts_other partition of attempts default;

-- Sums over spans of time: registration_id and action are empty where the sum is over all of them.
-- counts: JSON.
create table statistics (
  tenant          text collate "C" not null,
  registration_id text collate "C" not null,
  action          text collate "C" not null,
  start           bigint not null,
  step_ms         bigint not null,
  counts          text not null,
  primary key (tenant, registration_id, action, start, step_ms)
) with (fillfactor = 70);
create index statistics_by_age on statistics (step_ms, start);

-- Who did what; tenant is empty for what belongs to the installation. record: the entry as JSON.
create table audit (
  tenant text collate "C" not null,
  id     text collate "C" not null,
  record text not null,
  primary key (tenant, id)
);
create index audit_by_time on audit (id);
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'an audit entry cannot be changed';
end
$$;
create trigger audit_is_append_only before update on audit
  for each row execute function refuse_change();
