import { readdirSync, readFileSync } from 'node:fs';
import type pg from 'pg';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Names the lock that keeps two nodes from migrating at once; any number that stays the same. */
const LOCK = 836_500_001;
const LOCK_TIMEOUT = '10s';

/**
 * Brings the schema to this version's, each step in a transaction of its own and one node at a
 * time. Throws for a schema that is newer than this version knows.
 */
export async function migrate(client: pg.Client): Promise<void> {
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{4}\.sql$/.test(name))
    .toSorted();
  for (let version = await versionOf(client); version < files.length;) {
    version = await step(client, files);
  }
  const current = await versionOf(client);
  if (current <= files.length) return;
  throw new Error(
    `The database was written by a newer Schoolbell (schema ${current}; this one knows ${files.length}). Start that version, or restore a backup.`,
  );
}

/** One migration, if another node has not made it meanwhile; the version after it. */
async function step(client: pg.Client, files: readonly string[]): Promise<number> {
  await client.query('begin');
  try {
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await client.query('set local statement_timeout = 0');
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      'create table if not exists schema_version (version integer primary key, made_at timestamptz not null default now())',
    );
    const version = await versionOf(client);
    const name = files[version];
    if (name !== undefined) {
      await client.query(readFileSync(new URL(name, FOLDER), 'utf8'));
      await client.query('insert into schema_version (version) values ($1)', [version + 1]);
    }
    await client.query('commit');
    return version + 1;
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function versionOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ there: boolean }>(
    "select to_regclass('schema_version') is not null as there",
  );
  if (rows[0]?.there !== true) return 0;
  const found = await client.query<{ version: number | null }>(
    'select max(version) as version from schema_version',
  );
  return found.rows[0]?.version ?? 0;
}
