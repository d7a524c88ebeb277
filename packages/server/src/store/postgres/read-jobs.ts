import type { Id } from '../../core/id.ts';
import { ENDED_STATES, type Job } from '../../core/job.ts';
import type { RegistrationRef } from '../../core/registration.ts';
import { shardOf } from '../../core/shard.ts';
import { afterOf, candidatesOf, endOf, type Look, MAX_TEXT, rowsToLookAt } from '../job-rows.ts';
import type { Candidates, JobQuery } from '../jobs.ts';
import { integer, type Row, stateCode, text, textOrNull, toJob } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database, Statement } from './database.ts';
import { ANY_STATE } from './rows-of-deliveries.ts';
import { CARRIES_KEY } from './search-deliveries.ts';
import { termsOf } from './search-parts.ts';

const RUNNING: Statement = {
  name: 'running jobs',
  text: `
select *
  from jobs
 where state = 'running'
   and shard = any($1::smallint[])
 order by id`,
};

const BEHIND: Statement = {
  name: 'behind',
  text: `
select count(*) as behind
  from (select
          from deliveries
         where state = 0
           and shard = $1
           and tenant = $2
           and registration_id = $3
           and behind
         limit $4) b`,
};

/** The oldest ended deliveries of the registration behind the cursor. */
const DELIVERIES = `
select id
  from ended_deliveries
 where tenant = $1
   and registration_id = $2
   and id > $3
   and id < $4
   and $8::text[] is null
 order by id
 limit $5`;

/** The same of the deliveries that were chosen. */
const CHOSEN = `
select d.id
  from unnest($8::text[]) as c (id)
 cross join lateral (
       select id, registration_id
         from ended_deliveries
        where tenant = $1
          and id = c.id
        limit 1) d
 where d.registration_id = $2
   and c.id > $3
   and c.id < $4
 order by d.id
 limit $5`;

/**
 * What a replay repeats of those, in order; replays themselves only where they are chosen. Limits
 * keep PostgreSQL from beginning anywhere else than with the rows that are looked at.
 */
const REPLAYABLE = `
select d.id, d.event_id, d.picks, coalesce(d.replay_of, d.id) as replay_of, e.actions, e.erased,
       case when $9 then e.payload end as payload
  from looked l
 cross join lateral (
       select *
         from ended_deliveries
        where tenant = $1
          and id = l.id
        limit 1) d
 cross join lateral (
       select actions, payload, erased
         from events
        where tenant = $1
          and id = d.event_id
        limit 1) e
 where d.state = any($10::smallint[])
   and (d.replay_of is null or $8::text[] is not null)
   and ($11::text[] is null or ${CARRIES_KEY.replace('?', '$11')})
 order by d.id
 limit $6`;

/** The last row has no id and tells how far the look went. */
function look(looked: string, found: string): string {
  return `
with looked as materialized (${looked}),
found as materialized (${found}),
sized as (
  select *, sum(octet_length(payload)) over (order by id rows between unbounded preceding and 1 preceding) as size
    from found)
select id, event_id, picks, replay_of, actions, erased, payload, null::text as reached, null::bigint as looked,
       null::bigint as found
  from sized
 where coalesce(size, 0) <= $7
 union all
select null, null, null, null, null, null, null, (select max(id) from looked), (select count(*) from looked),
       (select count(*) from found)
 order by id`;
}

const EVENTS = `
select id
  from events
 where tenant = $1
   and id > $3
   and id < $4
 order by id
 limit $5`;

/** Nothing of the event e is on its way to the registration, or was. */
function noneIn(table: 'deliveries' | 'ended_deliveries', which = ''): string {
  return `(select count(*)
          from (select
                  from ${table}
                 where tenant = $1
                   and event_id = e.id
                   and registration_id = $2${which}
                 limit 1) d) = 0`;
}

const MISSED = `
select e.id, e.id as event_id, null::text as picks, null::text as replay_of, e.actions, e.erased, e.payload
  from looked l
 cross join lateral (
       select id, actions, payload, erased
         from events
        where tenant = $1
          and id = l.id
        limit 1) e
 where ${noneIn('deliveries', ` and ${ANY_STATE}`)}
   and ${noneIn('ended_deliveries')}
 order by e.id
 limit $6`;

const BACKFILL: Statement = { name: 'backfill', text: look(EVENTS, MISSED) };
const REPLAY: Statement = { name: 'replay', text: look(DELIVERIES, REPLAYABLE) };
const REPLAY_CHOSEN: Statement = { name: 'replay chosen', text: look(CHOSEN, REPLAYABLE) };

export async function job(database: Database, tenant: string, id: Id): Promise<Job | undefined> {
  const conditions = new Conditions();
  conditions.add('tenant = ?', tenant);
  conditions.add('id = ?', id);
  const [row] = await conditions.read(database, `select * from jobs${conditions.where}`, 1);
  return row === undefined ? undefined : toJob(row);
}

export async function jobs(database: Database, query: JobQuery): Promise<readonly Job[]> {
  const conditions = new Conditions();
  conditions.add('tenant = ?', query.tenant);
  if (query.registrationId !== undefined)
    conditions.add('registration_id = ?', query.registrationId);
  conditions.idRange('id', query);
  const sql = `select * from jobs${conditions.where}\n order by id desc`;
  return (await conditions.read(database, sql, query.limit)).map(toJob);
}

export async function runningJobs(
  database: Database,
  shards: readonly number[],
): Promise<readonly Job[]> {
  return (await database.query(RUNNING, [shards])).map(toJob);
}

export async function behind(
  database: Database,
  { tenant, id }: RegistrationRef,
  limit: number,
): Promise<number> {
  const [row = {}] = await database.query(BEHIND, [shardOf({ tenant, id }), tenant, id, limit]);
  return integer(row, 'behind');
}

type Asked = { readonly limit: number; readonly texts: boolean };

export async function candidates(
  database: Database,
  asking: Job,
  asked: Asked,
): Promise<Candidates> {
  const { tenant, registrationId } = asking;
  const looked = rowsToLookAt(asking, asked.limit);
  const place = [tenant, registrationId, afterOf(asking), endOf(asking), looked];
  const bounded = [...place, asked.limit, MAX_TEXT];
  const rows =
    asking.kind === 'backfill'
      ? await database.query(BACKFILL, bounded)
      : await replayable(database, asking, { bounded, texts: asked.texts });
  return candidatesOf(asking, toLook(rows, { limit: asked.limit, looked }));
}

async function replayable(
  database: Database,
  { tenant, selection }: Job,
  { bounded, texts }: { readonly bounded: readonly unknown[]; readonly texts: boolean },
): Promise<readonly Row[]> {
  const { deliveries, states, subject } = selection;
  const terms = subject === null ? {} : await termsOf(database, { tenant, subject });
  // The keys of a subject that nothing has are no keys: the look finds nothing.
  const keys = terms === undefined ? [] : (terms.subject ?? null);
  const codes = (states ?? ENDED_STATES).map(stateCode);
  const statement = deliveries === null ? REPLAY : REPLAY_CHOSEN;
  return database.query(statement, [...bounded, deliveries, texts, codes, keys]);
}

function toLook(
  rows: readonly Row[],
  { limit, looked }: { readonly limit: number; readonly looked: number },
): Look {
  const found = rows.slice(0, -1);
  const last = rows.at(-1) ?? {};
  if (found.length === limit || found.length < integer(last, 'found'))
    return { rows: found, reached: text(found.at(-1) ?? {}, 'id'), isWhole: false };
  const reached = textOrNull(last, 'reached');
  return { rows: found, reached, isWhole: integer(last, 'looked') < looked };
}
