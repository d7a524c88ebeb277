import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Opens the database for writing: every commit is on disk before it is answered. */
export function openForWriting(path: string): DatabaseSync {
  const database = open(path);
  database.exec('pragma page_size = 8192');
  database.exec('pragma journal_mode = wal');
  database.exec('pragma synchronous = full');
  database.exec('pragma wal_autocheckpoint = 8000');
  database.exec('pragma cache_size = -65536');
  database.exec('pragma temp_store = memory');
  database.exec('pragma busy_timeout = 5000');
  return database;
}

/** Opens the database for reading beside the writer. */
export function openForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec('pragma busy_timeout = 5000');
  database.exec('pragma cache_size = -32768');
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

function open(path: string): DatabaseSync {
  const existed = existsSync(path);
  const database = new DatabaseSync(path);
  try {
    database.prepare('select count(*) from sqlite_master').get();
    return database;
  } catch (cause) {
    database.close();
    const found = existed ? 'is damaged or not a database' : 'cannot be made';
    throw new Error(
      `The store ${path} ${found}. Restore it from a backup, or move it away to start with an empty one.`,
      { cause },
    );
  }
}
