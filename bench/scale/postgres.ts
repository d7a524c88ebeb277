import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openPostgresStore } from '../../packages/server/src/store/postgres/store.ts';
import { BenchDatabase } from '../database.ts';
import type { FilledDatabase } from '../installation.ts';
import { noteKeys } from './store.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));

/**
 * A PostgreSQL that holds what the embedded store of this folder holds, moved there as an operator
 * moves it. The caller removes it.
 */
export async function filledDatabase(
  folder: string,
  onProgress: (text: string) => void,
): Promise<FilledDatabase> {
  const encryptionKey = readFileSync(join(folder, 'encryption.key'), 'utf8').trim();
  const database = await BenchDatabase.start();
  const file = join(folder, 'moving.jsonl');
  try {
    onProgress('moving to PostgreSQL');
    await schoolbell(['export', '--data', folder, '--to', file], {});
    const place = ['--database-url', database.url, '--from', file];
    await schoolbell(['import', ...place], { SCHOOLBELL_ENCRYPTION_KEY: encryptionKey });
    onProgress('noting what events are found by');
    await noteKeys(await openPostgresStore(optionsOf(database.url)));
    await vacuum(database.url);
    return { database, encryptionKey };
  } catch (error) {
    await database.remove();
    throw error;
  } finally {
    rmSync(file, { force: true });
  }
}

function optionsOf(url: string): Parameters<typeof openPostgresStore>[0] {
  const rest = { listenUrl: null, poolSize: 2, pooled: false, allowUnsafe: false };
  return { url, statementTimeoutMs: 60_000, ...rest };
}

/** As autovacuum leaves tables that have been there for a while. */
async function vacuum(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('vacuum analyze');
  await client.query('checkpoint');
  await client.end();
}

function schoolbell(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...args, '--quiet'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`schoolbell ${args[0]} ended with ${code}`)),
    );
  });
}
