import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

export type TestDatabase = {
  readonly url: string;
  /** Removes it, whoever is still connected. */
  readonly drop: () => Promise<void>;
};

const STARTED_WITHIN_MS = 120_000;
let server: Promise<string> | undefined;

/**
 * An empty database on a real PostgreSQL: the server named by SCHOOLBELL_TEST_DATABASE_URL, else
 * one that is started with what the machine or npm has and that ends with the test run.
 */
export async function testDatabase(): Promise<TestDatabase> {
  server ??= serverUrl();
  const base = await server;
  const name = `schoolbell_test_${randomBytes(6).toString('hex')}`;
  await execute(base, `create database ${name}`);
  const url = new URL(base);
  url.pathname = `/${name}`;
  // Our own server is removed with all that it holds; dropping one by one would only take time.
  const isOurs = namedServer() === undefined;
  const sql = `drop database if exists ${name} with (force)`;
  return { url: url.href, drop: () => (isOurs ? Promise.resolve() : execute(base, sql)) };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function namedServer(): string | undefined {
  const named = process.env['SCHOOLBELL_TEST_DATABASE_URL'];
  return named === '' ? undefined : named;
}

function serverUrl(): Promise<string> {
  const named = namedServer();
  if (named !== undefined) return Promise.resolve(named);
  // Under `node --test` the parent is the run; a file that is run alone is a run of its own.
  const runner = process.env['NODE_TEST_CONTEXT'] === undefined ? process.pid : process.ppid;
  const folder = join(tmpdir(), `schoolbell-test-run-${runner}`);
  if (makesFolder(folder)) startKeeper(folder, runner);
  return told(folder);
}

/** True for the one of several files that is first. */
function makesFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch {
    return false;
  }
}

function startKeeper(folder: string, runner: number): void {
  const keeper = fileURLToPath(new URL('./keeper.ts', import.meta.url));
  const options = { detached: true, stdio: 'ignore' } as const;
  spawn(process.execPath, [keeper, folder, String(runner)], options).unref();
}

function told(folder: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      watcher.close();
      clearTimeout(timeout);
    };
    const look = (): void => {
      if (existsSync(join(folder, 'url'))) {
        end();
        resolve(readFileSync(join(folder, 'url'), 'utf8'));
      } else if (existsSync(join(folder, 'failure'))) {
        end();
        reject(new Error(readFileSync(join(folder, 'failure'), 'utf8')));
      }
    };
    const watcher = watch(folder, look);
    const timeout = setTimeout(() => {
      end();
      reject(new Error(`PostgreSQL did not start; see ${folder}`));
    }, STARTED_WITHIN_MS);
    look();
  });
}
