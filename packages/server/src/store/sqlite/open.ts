import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Opens the database for writing: every commit is on disk before it is answered. */
export function openForWriting(path: string): DatabaseSync {
  const database = open(path);
  database.exec('pragma page_size = 8192');
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = full');
  database.exec(`pragma wal_autocheckpoint = ${MAX_LOG_PAGES}`);
  database.exec('pragma cache_size = -32768');
  database.exec('pragma temp_store = memory');
  // What is removed is overwritten: a learner who was erased is nowhere in the file.
  database.exec('pragma secure_delete = on');
  database.exec(BUSY_TIMEOUT);
  return database;
}

/** Where the log has so many pages a commit brings the last of them into the file, and the log begins anew. */
const MAX_LOG_PAGES = 16_000;
/** When so many wait in the log they are brought into the file beside the writing. */
const CHECKPOINT_PAGES = 2000;

/** Opens the database for `checkpoint` beside the writer. */
export function openForCheckpoints(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('pragma wal_autocheckpoint = 0');
  database.exec('pragma synchronous = full');
  return database;
}

/**
 * Brings what was committed from the log of writes into the file, where there is enough of it. Nobody
 * waits for it, and what fails is left to the writer, who says so.
 */
export function checkpoint(database: DatabaseSync): void {
  try {
    const { log, checkpointed } = database.prepare('pragma wal_checkpoint(noop)').get() ?? {};
    if (Number(log) - Number(checkpointed) < CHECKPOINT_PAGES) return;
    database.exec('pragma wal_checkpoint(passive)');
  } catch {
    // The writer meets it too.
  }
}

/**
 * Empties the log of writes, which keeps what was overwritten since its beginning. False while
 * someone reads, who is waited for no longer than a moment: nobody can write meanwhile.
 */
export function scrub(database: DatabaseSync): boolean {
  database.exec('pragma busy_timeout = 50');
  const row = database.prepare('pragma wal_checkpoint(truncate)').get();
  database.exec(BUSY_TIMEOUT);
  return row?.['busy'] === 0;
}

const BUSY_TIMEOUT = 'pragma busy_timeout = 5000';

const READER_CACHE_KIB = 32_768;

/** Opens the database for reading beside the writer, with so much of it kept in memory. */
export function openForReading(path: string, cacheKib: number = READER_CACHE_KIB): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec(BUSY_TIMEOUT);
  database.exec(`pragma cache_size = -${cacheKib}`);
  return database;
}

/**
 * Holds a store for one process as long as the returned database is open; the operating system
 * lets go of it however the process ends.
 */
export function lockStore(path: string): DatabaseSync {
  const lock = new DatabaseSync(`${path}.lock`);
  try {
    lock.exec('pragma journal_mode = delete');
    lock.exec('begin exclusive');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Error(
      `The store ${path} is in use by another process. Stop that one first, or choose another data folder.`,
      { cause },
    );
  }
}

/** `SBEL`, in the header of every store: other programs' databases are left alone. */
export const APPLICATION_ID = 0x53_42_45_4c;

function open(path: string): DatabaseSync {
  const existed = existsSync(path);
  if (existed) refuseCutFile(path);
  const database = new DatabaseSync(path);
  try {
    const tables = database.prepare('select count(*) as count from sqlite_master').get();
    if (tables?.['count'] !== 0) refuseForeign(path, database);
    return database;
  } catch (cause) {
    database.close();
    if (cause instanceof RefusedError) throw cause;
    throw new RefusedError(
      path,
      existed ? 'is damaged or not a database' : 'cannot be made',
      cause,
    );
  }
}

function refuseForeign(path: string, database: DatabaseSync): void {
  const found = database.prepare('pragma application_id').get()?.['application_id'];
  if (found !== APPLICATION_ID) throw new RefusedError(path, 'is the database of another program');
}

/** Where a database's header holds the size of its pages and how many there are. */
const PAGE_SIZE_AT = 16;
const PAGE_COUNT_AT = 28;
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';

/** A copy that was broken off opens well and fails when its end is read, perhaps months later. */
function refuseCutFile(path: string): void {
  // After a crash the file may be short, and the log has the rest.
  if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0) return;
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  const read = readSync(file, header);
  closeSync(file);
  if (read < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) return;
  const pageSize = header.readUInt16BE(PAGE_SIZE_AT);
  const bytes = header.readUInt32BE(PAGE_COUNT_AT) * (pageSize === 1 ? 65_536 : pageSize);
  if (statSync(path).size < bytes)
    throw new RefusedError(
      path,
      `is cut short: ${statSync(path).size} of ${bytes} bytes are there`,
    );
}

class RefusedError extends Error {
  constructor(path: string, what: string, cause?: unknown) {
    super(
      `The store ${path} ${what}. Restore it from a backup, or move it away to start with an empty one.`,
      { cause },
    );
  }
}
