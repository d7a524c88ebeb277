import { shardOf } from '../../core/shard.ts';
import type { Job } from '../../core/job.ts';
import type { JobMove, JobStep } from '../jobs.ts';
import { jobDocument } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { isRowOf } from './rows-of-deliveries.ts';
import { enrol, type Enrolment, lockOrder, takePlaces } from './write-order.ts';

/** Whoever makes a job in a tenant does so alone until its commit, so that the limit holds. */
const LOCK_JOBS: Statement = {
  name: 'lock jobs',
  text: 'select pg_advisory_xact_lock(836500006, hashtext($1))',
};

const INSERT_JOB: Statement = {
  name: 'insert job',
  text: `
insert into jobs (tenant, id, registration_id, shard, state, document, subject)
select $1, $2, $3, $4, $5, $6, $7
 where (select count(*)
          from jobs
         where tenant = $1
           and ended_at is null) < $8
returning id`,
};

const MOVE_JOB: Statement = {
  name: 'move job',
  text: `
update jobs
   set state = $3, reason = $4, ended_at = $5::bigint,
       subject = case when $5::bigint is null then subject end
 where tenant = $1
   and id = $2
   and state = any($6::text[])
returning id`,
};

/** The row stays locked until the commit, so that of two nodes one finds the job elsewhere. */
const STEP_JOB: Statement = {
  name: 'step job',
  text: `
update jobs
   set cursor = $3, done = done + $4,
       state = case when $5::bigint is null then state else 'done' end,
       ended_at = $5::bigint,
       subject = case when $5::bigint is null then subject end
 where tenant = $1
   and id = $2
   and state = 'running'
   and cursor is not distinct from $6
returning id`,
};

/** Retention may have taken the event meanwhile. */
const INSERT_DELIVERIES: Statement = {
  name: 'insert deliveries of job',
  text: `
insert into deliveries (tenant, id, event_id, registration_id, shard, state, due_at, picks, order_keys,
                        order_seq, job_id, replay_of)
select e.tenant, g.id, e.id, $2, $3, 0, $4, g.picks, g.order_keys, g.order_seq, $5, g.replay_of
  from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[])
    as g (id, event_id, picks, order_keys, order_seq, replay_of)
 cross join lateral (
       select tenant, id
         from events
        where tenant = $1
          and id = g.event_id
        limit 1
          for key share) e
returning id`,
};

/** Only what was made takes a number. */
const NUMBER: Statement = {
  name: 'number deliveries of job',
  text: `
with counted as (
  insert into sequences as s (tenant, registration_id, last)
  values ($1, $2, cardinality($3::text[]))
      on conflict (tenant, registration_id) do update
     set last = s.last + excluded.last
  returning tenant, last),
numbered as (
  select c.tenant, g.id, c.last - cardinality($3::text[]) + g.place as sequence
    from unnest($3::text[]) with ordinality as g (id, place)
   cross join counted c)
update deliveries d
   set sequence = n.sequence
  from numbered n
 where ${isRowOf('n')}`,
};

const COUNT_MADE: Statement = {
  name: 'count made',
  text: 'update jobs set done = done - $3 where tenant = $1 and id = $2',
};

const PRUNE_JOBS: Statement = {
  name: 'prune jobs',
  text: `
with old as (
  select tenant, id
    from jobs
   where ended_at < $1
   limit $2)
delete from jobs j
 using old o
 where j.tenant = o.tenant
   and j.id = o.id
returning j.id`,
};

/** False when the tenant has `most` unfinished ones. */
export async function insertJob(query: Query, job: Job, most: number): Promise<boolean> {
  const { tenant, id, registrationId, state, selection } = job;
  await query(LOCK_JOBS, [tenant]);
  const shard = shardOf({ tenant, id: registrationId });
  const values = [tenant, id, registrationId, shard, state, jobDocument(job)];
  return (await query(INSERT_JOB, [...values, selection.subject, most])).length === 1;
}

export async function moveJob(query: Query, move: JobMove): Promise<boolean> {
  const { tenant, id, from, to, reason, now } = move;
  const endedAt = to === 'done' || to === 'cancelled' ? now : null;
  return (await query(MOVE_JOB, [tenant, id, to, reason, endedAt, from])).length === 1;
}

/** Whoever else has come to the same place meanwhile is found out by the cursor. */
export function stepJob(database: Database, step: JobStep): Promise<boolean> {
  const { tenant, id, registrationId, cursor, next, deliveries, now } = step;
  return database.transaction(async (query) => {
    const ordered = deliveries.flatMap((one): Enrolment[] =>
      one.orderKeys === null ? [] : [{ tenant, registrationId, ...one }],
    );
    if (ordered.length > 0) await lockOrder(query, [tenant]);
    const endedAt = next === null ? now : null;
    const place = [tenant, id, next ?? cursor, deliveries.length, endedAt, cursor];
    if ((await query(STEP_JOB, place)).length === 0) return false;
    if (deliveries.length === 0) return true;
    const places = await takePlaces(query, ordered.length);
    const placeOf = new Map(ordered.map((one, index) => [one.id, places[index] ?? 0]));
    const made = await query(INSERT_DELIVERIES, [
      tenant,
      registrationId,
      shardOf({ tenant, id: registrationId }),
      now,
      id,
      ...columnsOf(deliveries, placeOf),
    ]);
    const missing = deliveries.length - made.length;
    if (missing > 0) await query(COUNT_MADE, [tenant, id, missing]);
    const kept = new Set(made.map((row) => row['id']));
    const numbered = deliveries.map((one) => one.id).filter((one) => kept.has(one));
    if (numbered.length > 0) await query(NUMBER, [tenant, registrationId, numbered]);
    const enrolled = ordered.filter((one) => kept.has(one.id));
    if (enrolled.length > 0) await enrol(query, enrolled, placeOf);
    return true;
  });
}

function columnsOf(
  deliveries: JobStep['deliveries'],
  placeOf: ReadonlyMap<string, number>,
): unknown[][] {
  return [
    deliveries.map(({ id }) => id),
    deliveries.map(({ eventId }) => eventId),
    deliveries.map(({ picks }) => jsonOrNull(picks)),
    deliveries.map(({ orderKeys }) => jsonOrNull(orderKeys)),
    deliveries.map(({ id }) => placeOf.get(id) ?? null),
    deliveries.map(({ replayOf }) => replayOf),
  ];
}

function jsonOrNull(value: readonly unknown[] | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

export async function pruneJobs(
  database: Database,
  before: number,
  limit: number,
): Promise<number> {
  return (await database.query(PRUNE_JOBS, [before, limit])).length;
}
