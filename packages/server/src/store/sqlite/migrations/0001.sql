create table tenants (
  id         text primary key,
  name       text not null,
  created_at integer not null
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
create table events (
  seq         integer primary key,
  tenant      text not null,
  id          text not null,
  accepted_at integer not null,
  occurred_at integer,
  actions     text not null,
  payload     text not null
);
create unique index events_by_id on events (tenant, id);

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
