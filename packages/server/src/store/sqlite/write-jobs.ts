import type { DatabaseSync } from 'node:sqlite';
import type { Job } from '../../core/job.ts';
import type { JobDelivery, JobMove, JobStep } from '../jobs.ts';
import { integer, jobDocument } from '../rows.ts';
import type { Methods } from './protocol.ts';
import type { Sequences } from './sequences.ts';
import { order } from './write-order.ts';

const INSERT_JOB = `
insert into jobs (tenant, id, registration_id, state, document, subject)
select ?1, ?2, ?3, ?4, ?5, ?6
 where (select count(*)
          from jobs indexed by jobs_unfinished
         where tenant = ?1
           and ended_at is null) < ?7`;

const MOVE_JOB = `
update jobs
   set state = ?1, reason = ?2, ended_at = ?3, subject = case when ?3 is null then subject end
 where tenant = ?4
   and id = ?5
   and state in (select value from json_each(?6))`;

const STEP_JOB = `
update jobs
   set cursor = ?1, done = done + ?2
 where tenant = ?3
   and id = ?4
   and state = 'running'
   and cursor is ?5`;

const END_JOB = `
update jobs
   set state = 'done', ended_at = ?, subject = null
 where tenant = ?
   and id = ?`;

const COUNT_MADE = `
update jobs
   set done = done - ?
 where tenant = ?
   and id = ?`;

/** Retention may have taken the event meanwhile. */
const INSERT_DELIVERY = `
insert into deliveries (tenant, id, event_id, registration_id, state, due_at, picks, order_keys, order_seq, job_id,
                        replay_of)
select tenant, ?, id, ?, 0, ?, ?, ?, ?, ?, ?
  from events
 where tenant = ?
   and id = ?`;

/** Only what was made takes a number. */
const NUMBER = `
update deliveries
   set sequence = ?
 where tenant = ?
   and id = ?`;

/** Behind all there are: what is accepted later has a higher one. */
const LAST_PLACE = 'select coalesce(max(seq), 0) as seq from events';

const PRUNE_JOBS = `
delete from jobs
 where (tenant, id) in (
       select tenant, id
         from jobs indexed by jobs_by_age
        where ended_at is not null
          and ended_at < ?
        limit ?)`;

/** Jobs that make deliveries. */
export function jobWrites(database: DatabaseSync, sequences: Sequences): Methods {
  const step = stepper(database, sequences);
  return {
    insertJob: (job: Job, most: number) => {
      const { tenant, id, registrationId, state, selection } = job;
      const values = [tenant, id, registrationId, state, jobDocument(job), selection.subject, most];
      return database.prepare(INSERT_JOB).run(...values).changes === 1;
    },
    moveJob: ({ tenant, id, from, to, reason, now }: JobMove) => {
      const endedAt = to === 'done' || to === 'cancelled' ? now : null;
      const values = [to, reason, endedAt, tenant, id, JSON.stringify(from)];
      return database.prepare(MOVE_JOB).run(...values).changes === 1;
    },
    stepJob: step,
    pruneJobs: (before: number, limit: number) =>
      Number(database.prepare(PRUNE_JOBS).run(before, limit).changes),
  };
}

function stepper(database: DatabaseSync, sequences: Sequences): (step: JobStep) => boolean {
  const stepJob = database.prepare(STEP_JOB);
  const endJob = database.prepare(END_JOB);
  const countMade = database.prepare(COUNT_MADE);
  const insertDelivery = database.prepare(INSERT_DELIVERY);
  const lastPlace = database.prepare(LAST_PLACE);
  const number = database.prepare(NUMBER);
  const { enrol } = order(database);

  function make(step: JobStep, delivery: JobDelivery): boolean {
    const { tenant, registrationId, now } = step;
    const { id, eventId, replayOf, picks, orderKeys } = delivery;
    const keys = orderKeys === null ? null : JSON.stringify(orderKeys);
    const picked = picks === null ? null : JSON.stringify(picks);
    const seq = keys === null ? null : integer(lastPlace.get() ?? {}, 'seq');
    const what = [id, registrationId, now, picked, keys, seq, step.id, replayOf];
    if (insertDelivery.run(...what, tenant, eventId).changes === 0) return false;
    number.run(sequences.take(tenant, registrationId, id), tenant, id);
    if (keys === null || seq === null) return true;
    enrol({ tenant, registrationId, deliveryId: id, seq, keys });
    return true;
  }

  return (step) => {
    const { tenant, id, cursor, next, deliveries, now } = step;
    const moved = stepJob.run(next ?? cursor, deliveries.length, tenant, id, cursor);
    if (moved.changes === 0) return false;
    const made = deliveries.filter((delivery) => make(step, delivery)).length;
    if (made < deliveries.length) countMade.run(deliveries.length - made, tenant, id);
    if (next === null) endJob.run(now, tenant, id);
    return true;
  };
}
