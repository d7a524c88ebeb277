import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { serveWrites } from '../worker.ts';

/** A writer that can be made to fail as SQLite and threads do. */
const { path } = workerData as { path: string };
const database = new DatabaseSync(path);
database.exec('create table if not exists names (name text)');

const methods = {
  /** Keeps the thread busy until the gate is opened, so that what is called meanwhile forms a group. */
  waitFor: (gate: Int32Array) => Atomics.wait(gate, 0, 0),
  insert: (name: string) => database.prepare('insert into names values (?)').run(name).changes,
  /** What SQLite does by itself when the disk is full. */
  rollBack: () => {
    database.exec('rollback');
    throw new Error('rolled back');
  },
  names: () =>
    database
      .prepare('select name from names order by name')
      .all()
      .map((row) => row['name']),
  crash: () => process.exit(1),
};
serveWrites(database, methods, { outside: {}, onFailure: () => undefined });
