import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Id, idTime } from '../../core/id.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { DAY_MS } from './partitions.ts';

/** Tables up to this size are written anew: that takes a moment, in which they cannot be used. */
const SMALL_BYTES = 32 * 1024 * 1024;
/** Others wait behind who waits for a table. */
const LOCK_TIMEOUT_MS = 2000;
const VACUUM_TIMEOUT_MS = 120_000;
const AGAIN_AFTER_MS = 20;

/** Not divided into days. */
const WHOLE_TABLES = ['deliveries', 'order_keys', 'jobs'];
const DIVIDED_TABLES = ['events', 'event_keys', 'ended_deliveries', 'attempts'];

const NOTE: Statement = {
  name: 'note unscrubbed',
  text: `
insert into unscrubbed (name, mark)
select name, $2
  from unnest($1::text[]) as t (name)
 order by name
    on conflict (name) do update
   set mark = excluded.mark`,
};

/** None that was dropped meanwhile. */
const UNSCRUBBED: Statement = {
  name: '',
  text: `
select u.name, u.mark, coalesce(pg_total_relation_size(to_regclass(u.name)), -1) as bytes
  from unscrubbed u
 order by u.name`,
};

/** Unless something more was erased there since it was read. */
const DONE: Statement = {
  name: '',
  text: 'delete from unscrubbed where name = $1 and mark = $2',
};

/**
 * Notes, with the erasure itself, which tables it left old versions of rows in: those of the days of
 * the event and of its deliveries, some of which may be far younger, and those of no day.
 */
export async function noteUnscrubbed(query: Query, ids: readonly Id[]): Promise<void> {
  const days = new Set(ids.map((id) => String(Math.floor(idTime(id) / DAY_MS))));
  const divided = DIVIDED_TABLES.flatMap((table) =>
    [...days, 'other'].map((part) => `${table}_${part}`),
  );
  await query(NOTE, [[...WHOLE_TABLES, ...divided], randomUUID()]);
}

/**
 * Small tables are written anew, so that nothing is left of what was erased; in larger ones its
 * room is free, and overwritten as it is used again. False where there were such, where a table was
 * in use or seen as it was before for long, or the database cannot be reached.
 */
export async function scrub(database: Database): Promise<boolean> {
  const session = database.session();
  try {
    await session.connect();
    const query: Query = async ({ text: sql }, values = []) =>
      (await session.query<Row>(sql, [...values])).rows;
    await run(query, `set lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await run(query, `set statement_timeout = ${VACUUM_TIMEOUT_MS}`);
    const rows = await query(UNSCRUBBED);
    if (rows.length === 0) return true;
    if (await isSeenStill(query)) return false;
    const scrubbed: Row[] = [];
    for (const row of rows) if (await isVacuumed(query, row)) scrubbed.push(row);
    await scrubStatistics(query);
    for (const row of scrubbed) await query(DONE, [text(row, 'name'), text(row, 'mark')]);
    return scrubbed.length === rows.length && scrubbed.every(isSmall);
  } catch {
    return false;
  } finally {
    await session.end();
  }
}

/** Transactions that began before are sure to be over. */
const MARK: Statement = { name: '', text: 'select pg_current_xact_id()::xid::text as xid' };

const OLDER: Statement = {
  name: '',
  text: `
select count(*)::int as count
  from pg_stat_activity
 where datname = current_database()
   and pid <> pg_backend_pid()
   and age(backend_xmin) > age($1::xid)`,
};

/**
 * True while somebody's transaction, if only the planner's, sees the rows as they were before the
 * erasure: writing a table anew would keep them for it. A moment is waited for that to end.
 */
async function isSeenStill(query: Query): Promise<boolean> {
  const [mark] = await query(MARK);
  for (const until = performance.now() + LOCK_TIMEOUT_MS; performance.now() < until;) {
    const [row] = await query(OLDER, [mark?.['xid']]);
    if (integer(row ?? {}, 'count') === 0) return false;
    await sleep(AGAIN_AFTER_MS);
  }
  return true;
}

/**
 * What the planner knows of a column are values that were found in it. They have been found anew, by
 * table; here those of all partitions together are, and the old ones are written over.
 */
async function scrubStatistics(query: Query): Promise<void> {
  await run(query, `analyze ${DIVIDED_TABLES.join(', ')}`);
  await run(query, 'vacuum (full) pg_statistic');
}

function isSmall(row: Row): boolean {
  return integer(row, 'bytes') <= SMALL_BYTES;
}

/** False where it cannot be now. */
async function isVacuumed(query: Query, row: Row): Promise<boolean> {
  if (integer(row, 'bytes') < 0) return true;
  try {
    await run(query, `vacuum (${isSmall(row) ? 'full, ' : ''}analyze) ${text(row, 'name')}`);
    return true;
  } catch {
    return false;
  }
}

async function run(query: Query, sql: string): Promise<void> {
  await query({ name: '', text: sql });
}
