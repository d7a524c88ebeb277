import { type MovedKind, SETTINGS_LEFT } from '../moving.ts';
import { type Row, text } from '../rows.ts';
import type { Query } from './database.ts';

const settingsLeft = SETTINGS_LEFT.map((name) => `'${name}'`).join(', ');

type Dump = {
  readonly kind: MovedKind;
  readonly sql: string;
  /** What PostgreSQL cannot do: text of its own holds no NUL. */
  readonly read?: (row: Row) => Row;
};

/** Every row of these kinds, under the names of its columns. */
const FEW: readonly Dump[] = [
  { kind: 'tenants', sql: 'select document from tenants order by id' },
  { kind: 'api_keys', sql: 'select document from api_keys order by tenant, id' },
  { kind: 'registrations', sql: 'select document from registrations order by tenant, id' },
  { kind: 'filters', sql: 'select document from filters order by name' },
  {
    kind: 'streaks',
    sql: `
select tenant, registration_id, failures, since, told, was_off::int
  from streaks
 order by tenant, registration_id`,
  },
  {
    kind: 'settings',
    sql: `select name, value from settings where name not in (${settingsLeft}) order by name`,
  },
  {
    kind: 'audit',
    sql: `select nullif(tenant, '') as tenant, id, record from audit order by id`,
  },
  {
    kind: 'jobs',
    sql: `
select tenant, id, registration_id, state, document, subject, cursor, done, reason, ended_at
  from jobs
 order by tenant, id`,
  },
  {
    kind: 'sequences',
    sql: `
select tenant, registration_id, last
  from sequences
 order by tenant, registration_id`,
  },
  {
    kind: 'statistics',
    sql: `
select tenant, registration_id, action, start, step_ms, counts
  from statistics
 order by tenant, registration_id, action, start, step_ms`,
  },
  {
    kind: 'idempotency',
    sql: `
select tenant, key, hash, answer, at
  from idempotency
 order by tenant, key`,
    read: (row) => ({ ...row, key: JSON.parse(text(row, 'key')) as string }),
  },
];

const ERASURES = `
select tenant, event_id, receipt, picks, cancels::int
  from erasures
 order by tenant, event_id`;

/** What waits, and what ended: read in the order of both primary keys, without sorting. */
const DELIVERIES = `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts, d.step, d.due_at,
       d.ended_at, d.reason, d.picks, d.order_keys, d.order_seq, d.job_id,
       d.replay_of, d.sequence, d.class, d.status, o.sentence
  from (
       select tenant, id, event_id, registration_id, state, attempts, step, due_at,
              null::bigint as ended_at, reason, picks, order_keys, order_seq, job_id, replay_of, sequence, class, status,
              outcome_id
         from deliveries
        union all
       select tenant, id, event_id, registration_id, state, attempts, 0, null::bigint,
              ended_at, reason, picks, order_keys, order_seq, job_id, replay_of, sequence, class, status,
              outcome_id
         from ended_deliveries) d
  left join outcomes o
    on o.tenant = d.tenant
   and o.id = d.outcome_id
 order by d.tenant, d.id`;

const ATTEMPTS = `
select tenant, delivery_id, number, started_at, duration_ms, record
  from attempts
 order by tenant, delivery_id, number, started_at`;

/** The oldest day first; rows of no day are older than all of these. */
const PARTITIONS = `
select c.relname
  from pg_inherits i
  join pg_class c
    on c.oid = i.inhrelid
 where i.inhparent = 'events'::regclass
 order by c.relname <> 'events_other', length(c.relname), c.relname`;

/** How everything is read, in the order of MOVED: events by day, so that no more than a day is sorted. */
export async function dumpsOf(query: Query): Promise<readonly Dump[]> {
  const partitions = await query({ name: '', text: PARTITIONS });
  const events = partitions.map((row): Dump => ({
    kind: 'events',
    sql: `
select tenant, id, accepted_at, occurred_at, actions, payload, trace, erased
  from ${text(row, 'relname')}
 order by id, tenant`,
  }));
  return [
    ...FEW,
    ...events,
    { kind: 'erasures', sql: ERASURES },
    { kind: 'deliveries', sql: DELIVERIES },
    { kind: 'attempts', sql: ATTEMPTS },
  ];
}
