create table tenants (
  id          text primary key,
  name        text not null,
  created_at  integer not null,
  max_pending integer,
  retention   integer
) without rowid;

create table api_keys (
  tenant     text not null,
  id         text not null,
  level      text not null,
  name       text not null,
  hash       text not null,
  created_at integer not null,
  expires_at integer,
  primary key (tenant, id)
) without rowid;

-- Read whole at start and kept in memory: one JSON document each.
create table registrations (
  tenant   text not null,
  id       text not null,
  document text not null,
  primary key (tenant, id)
) without rowid;

-- Endpoints that fail, since when, and what was told of it; written once a minute.
create table streaks (
  tenant          text not null,
  registration_id text not null,
  failures        integer not null,
  since           integer not null,
  told            integer not null,
  was_off         integer not null,
  primary key (tenant, registration_id)
) without rowid;

create table filters (
  name     text primary key collate nocase,
  document text not null
) without rowid;

create table settings (
  name  text primary key,
  value text not null
) without rowid;

create table idempotency (
  tenant text not null,
  key    text not null,
  hash   text not null,
  answer text not null,
  at     integer not null,
  primary key (tenant, key)
) without rowid;
create index idempotency_by_age on idempotency (at);

-- Rows are wide, so they lie in order of acceptance and are found by a narrow index.
-- erased: which notifications were, as a JSON list; of these the payload keeps nothing.
create table events (
  seq         integer primary key,
  tenant      text not null,
  id          text not null,
  accepted_at integer not null,
  occurred_at integer,
  actions     text not null,
  payload     text not null,
  trace       text,
  erased      text
);
create unique index events_by_id on events (tenant, id);

-- Events whose notifications at `picks` are erased once the deliveries that carry them have ended.
create table erasures (
  tenant   text not null,
  event_id text not null,
  receipt  text not null,
  picks    text not null,
  cancels  integer not null,
  primary key (tenant, event_id)
) without rowid;

-- What events are found by: 'action <filter>', 'learner <value>', 'course <value>'.
create table keys (
  id     integer primary key,
  tenant text not null,
  key    text not null,
  unique (tenant, key)
);

-- event_id: its 16 bytes. picks: which notifications have the key; null for all of them.
create table key_events (
  key_id   integer not null,
  event_id blob not null,
  picks    text,
  primary key (key_id, event_id)
) without rowid;

-- The keys of each event, for taking them back; the last one says how far the index has come.
create table indexed_events (
  seq     integer primary key,
  key_ids text not null
);
create trigger events_leave_their_keys after delete on events
begin
  delete from key_events
   where event_id = unhex(old.id)
     and key_id in (select value from indexed_events, json_each(key_ids) where seq = old.seq);
  delete from keys
   where id in (select value from indexed_events, json_each(key_ids) where seq = old.seq)
     and not exists (select 1 from key_events where key_id = keys.id);
  delete from indexed_events where seq = old.seq;
end;

-- What attempts came to, each once a tenant, as people search it: a class, a status, a sentence.
create table outcomes (
  id       integer primary key,
  tenant   text not null,
  class    text not null,
  status   integer,
  sentence text not null,
  unique (tenant, class, sentence)
);

-- Work that makes deliveries of what lies in the past. document: what was asked for, as JSON;
-- cursor: what it has come to; subject: a person's name for as long as it is needed.
create table jobs (
  tenant          text not null,
  id              text not null,
  registration_id text not null,
  state           text not null check (state in ('running', 'paused', 'done', 'cancelled')),
  document        text not null,
  subject         text,
  cursor          text,
  done            integer not null default 0,
  reason          text,
  ended_at        integer,
  primary key (tenant, id),
  check ((state in ('done', 'cancelled')) = (ended_at is not null)),
  check (subject is null or ended_at is null)
) without rowid;
create index jobs_by_registration on jobs (tenant, registration_id, id);
create index jobs_unfinished on jobs (tenant, id) where ended_at is null;
create index jobs_by_age on jobs (ended_at) where ended_at is not null;

-- leased: 0 can be claimed, 1 in a lane, -1 behind others in its registration's order.
-- state: 0 pending, 1 delivered, 2 exhausted, 3 held, 4 cancelled.
create table deliveries (
  tenant          text not null,
  id              text not null,
  event_id        text not null,
  registration_id text not null,
  state           integer not null check (state between 0 and 4),
  leased          integer not null default 0,
  attempts        integer not null default 0,
  step            integer not null default 0,
  due_at          integer,
  ended_at        integer,
  reason          text,
  picks           text,
  outcome         integer,
  order_keys      text,
  order_seq       integer,
  job_id          text,
  replay_of       text,
  sequence        integer,
  primary key (tenant, id),
  check ((state = 0) = (due_at is not null)),
  check ((state <> 0 and state <> 3) = (ended_at is not null)),
  check (leased = 0 or state = 0)
) without rowid;
create index deliveries_by_registration on deliveries (tenant, registration_id, id);
create index deliveries_by_event on deliveries (tenant, event_id);
-- What is claimed, what an earlier run had leased, and which registrations have work.
create index deliveries_pending on deliveries (tenant, registration_id, leased, due_at) where state = 0;
create index deliveries_held on deliveries (tenant, registration_id, id) where state = 3;
-- Look-ups of what did not arrive at once: what is delivered by the first attempt costs nothing here.
-- What stands behind the id is there so that rows which are not meant need not be read.
create index deliveries_by_outcome on deliveries (outcome, id, registration_id, state) where outcome is not null and state <> 1;
create index deliveries_by_state on deliveries (tenant, state, id, registration_id) where state > 1;
-- What is younger than its event.
create index deliveries_by_job on deliveries (tenant, id) where job_id is not null;
create index deliveries_by_event_of_job on deliveries (tenant, event_id, registration_id, state, outcome, job_id) where job_id is not null;
create index deliveries_uncommon on deliveries (event_id, state, outcome) where state > 1 or (state = 0 and outcome is not null);

-- Registrations that have numbered deliveries. last: the highest number of a delivery that is not
-- kept any more; the numbers of those that are say the rest.
create table sequences (
  id              integer primary key,
  tenant          text not null,
  registration_id text not null,
  last            integer not null default 0,
  unique (tenant, registration_id)
);

-- Deliveries by their number in their registration. delivery_id: its 16 bytes.
create table numbered_deliveries (
  sequence_id integer not null,
  sequence    integer not null,
  delivery_id blob not null,
  primary key (sequence_id, sequence)
) without rowid;
create trigger deliveries_leave_their_number after delete on deliveries when old.sequence is not null
begin
  update sequences
     set last = max(last, old.sequence)
   where tenant = old.tenant
     and registration_id = old.registration_id;
  delete from numbered_deliveries
   where sequence_id = (select id from sequences where tenant = old.tenant and registration_id = old.registration_id)
     and sequence = old.sequence;
end;

-- One row for each key of an ordered delivery until it ends. seq: its place, which is that of its
-- event where it was accepted here: the first row of a key is the delivery whose turn it is.
create table order_keys (
  tenant          text not null,
  registration_id text not null,
  key             text not null,
  seq             integer not null,
  delivery_id     text not null,
  primary key (tenant, registration_id, key, seq, delivery_id)
) without rowid;
create index order_keys_by_delivery on order_keys (tenant, delivery_id, seq);

-- record: JSON of the outcome and the request's headers.
create table attempts (
  seq         integer primary key,
  delivery_id text not null,
  number      integer not null,
  started_at  integer not null,
  duration_ms integer not null,
  record      text not null
);
create index attempts_by_delivery on attempts (delivery_id, number);

-- Sums over spans of time: registration_id and action are empty where the sum is over all of them.
-- counts: JSON.
create table statistics (
  tenant          text not null,
  registration_id text not null,
  action          text not null,
  start           integer not null,
  step_ms         integer not null,
  counts          text not null,
  primary key (tenant, registration_id, action, start, step_ms)
) without rowid;
create index statistics_by_age on statistics (step_ms, start);

-- Who did what; tenant is null for what belongs to the installation. record: the entry as JSON.
create table audit (
  id     text primary key,
  tenant text,
  record text not null
) without rowid;
create index audit_by_tenant on audit (tenant, id);
create trigger audit_is_append_only before update on audit
begin
  select raise(abort, 'an audit entry cannot be changed');
end;
