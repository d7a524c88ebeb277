import { Database, type DatabaseOptions } from './database.ts';
import { migrate } from './migrate.ts';
import { createPartitions } from './partitions.ts';
import { refuseUnsafe } from './safety.ts';

export type PostgresOptions = DatabaseOptions & {
  /** Lets a server lose what it said was written: for machines that run tests. */
  readonly allowUnsafe: boolean;
};

/** Connects, brings the schema up to date and has room for today. Throws with a sentence when the database cannot be used. */
export async function openDatabase(options: PostgresOptions): Promise<Database> {
  const database = new Database(options);
  try {
    await prepare(database, options.allowUnsafe);
    await createPartitions(database, Date.now());
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function prepare(database: Database, allowUnsafe: boolean): Promise<void> {
  const client = database.session();
  try {
    await client.connect();
    await refuseUnsafe(client, allowUnsafe);
    await migrate(client);
  } finally {
    await client.end();
  }
}
