import type { DatabaseSync } from 'node:sqlite';
import { ENDED_STATES, type Job } from '../../core/job.ts';
import { afterOf, candidatesOf, endOf, type Look, MAX_TEXT, rowsToLookAt } from '../job-rows.ts';
import type { Candidates, JobQuery } from '../jobs.ts';
import { integer, type Row, stateCode, text, textOrNull, toJob } from '../rows.ts';
import { type Condition, values, where } from './conditions.ts';
import type { Methods } from './protocol.ts';
import { CARRIES_KEY, termsOf } from './search-parts.ts';

const ONE_JOB = `
select *
  from jobs
 where tenant = ?
   and id = ?`;

const RUNNING = `
select *
  from jobs indexed by jobs_unfinished
 where ended_at is null
   and state = 'running'
 order by id`;

const BEHIND = `
select count(*) as behind
  from (select 1
          from deliveries indexed by deliveries_pending
         where state = 0
           and tenant = ?
           and registration_id = ?
           and leased = -1
         limit ?)`;

/** The oldest deliveries of the registration behind the cursor, whatever became of them. */
const DELIVERIES = `
select id
  from deliveries indexed by deliveries_by_registration
 where tenant = ?1
   and registration_id = ?2
   and id > ?3
   and id < ?4
 order by id
 limit ?5`;

/** The same of the deliveries that were chosen. */
const CHOSEN = `
select c.value as id
  from json_each(?6) c
 cross join deliveries d
    on d.tenant = ?1
   and d.id = c.value
 where d.registration_id = ?2
   and c.value > ?3
   and c.value < ?4
 order by c.value
 limit ?5`;

/** One that has ended and may be repeated. */
const REPLAYABLE = `
select d.id, d.event_id, d.picks, coalesce(d.replay_of, d.id) as replay_of, e.actions, e.erased,
       case when ? then e.payload end as payload
  from deliveries d
 cross join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
 where d.tenant = ?
   and d.id = ?
   and d.state in (select value from json_each(?))
   and (d.replay_of is null or ?)`;

const EVENTS = `
select id
  from events indexed by events_by_id
 where tenant = ?
   and id > ?
   and id < ?
 order by id
 limit ?`;

/** One of which nothing was ever on its way to the registration. */
const MISSED = `
select id, id as event_id, null as picks, null as replay_of, actions, erased, payload
  from events
 where tenant = ?1
   and id = ?2
   and not exists (
       select 1
         from deliveries indexed by deliveries_by_event
        where tenant = ?1
          and event_id = ?2
          and registration_id = ?3)`;

export function jobReads(database: DatabaseSync): Methods {
  return {
    job: (tenant: string, id: string) => {
      const row = database.prepare(ONE_JOB).get(tenant, id);
      return row === undefined ? undefined : toJob(row);
    },
    jobs: (query: JobQuery) => jobs(database, query),
    runningJobs: () => database.prepare(RUNNING).all().map(toJob),
    behind: (tenant: string, registrationId: string, limit: number) =>
      integer(database.prepare(BEHIND).get(tenant, registrationId, limit) ?? {}, 'behind'),
    candidates: (job: Job, asked: Asked) =>
      job.kind === 'backfill' ? missed(database, job, asked) : replayable(database, job, asked),
  };
}

function jobs(database: DatabaseSync, { tenant, registrationId, before, limit }: JobQuery): Job[] {
  const conditions: Condition[] = [['tenant = ?', tenant]];
  if (registrationId !== undefined) conditions.push(['registration_id = ?', registrationId]);
  if (before !== undefined) conditions.push(['id < ?', before]);
  const sql = `select * from jobs${where(conditions)}\n order by id desc\n limit ?`;
  return database
    .prepare(sql)
    .all(...values(conditions), limit)
    .map(toJob);
}

type Asked = { readonly limit: number; readonly texts: boolean };

/** What a replay can repeat: replays themselves only where they are chosen. */
function replayable(database: DatabaseSync, job: Job, { limit, texts }: Asked): Candidates {
  const { tenant, registrationId, selection } = job;
  const { deliveries, states, subject } = selection;
  const terms = subject === null ? {} : termsOf(database, { tenant, subject });
  if (terms === undefined) return { items: [], next: null };
  const rows = rowsToLookAt(job, limit);
  const place = [tenant, registrationId, afterOf(job), endOf(job), rows];
  const ids =
    deliveries === null
      ? database.prepare(DELIVERIES).all(...place)
      : database.prepare(CHOSEN).all(...place, JSON.stringify(deliveries));
  const carries = 'subject' in terms ? [JSON.stringify(terms.subject)] : [];
  const one = database.prepare(REPLAYABLE + (carries.length > 0 ? `\n   and ${CARRIES_KEY}` : ''));
  const codes = JSON.stringify((states ?? ENDED_STATES).map(stateCode));
  const isChosen = Number(deliveries !== null);
  const find = (id: string) => one.get(Number(texts), tenant, id, codes, isChosen, ...carries);
  return candidatesOf(job, look(ids, find, { limit, isWhole: ids.length < rows }));
}

function missed(database: DatabaseSync, job: Job, { limit }: Asked): Candidates {
  const { tenant, registrationId } = job;
  const rows = rowsToLookAt(job, limit);
  const ids = database.prepare(EVENTS).all(tenant, afterOf(job), endOf(job), rows);
  const one = database.prepare(MISSED);
  const find = (id: string) => one.get(tenant, id, registrationId);
  return candidatesOf(job, look(ids, find, { limit, isWhole: ids.length < rows }));
}

/** Ends when enough was found, or what was found is large. */
function look(
  ids: readonly Row[],
  find: (id: string) => Row | undefined,
  { limit, isWhole }: { readonly limit: number; readonly isWhole: boolean },
): Look {
  const rows: Row[] = [];
  let reached: string | null = null;
  let size = 0;
  for (const row of ids) {
    if (rows.length === limit || size > MAX_TEXT) return { rows, reached, isWhole: false };
    reached = text(row, 'id');
    const found = find(reached);
    if (found === undefined) continue;
    rows.push(found);
    size += textOrNull(found, 'payload')?.length ?? 0;
  }
  return { rows, reached, isWhole };
}
