import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openPostgresMoving } from '../../packages/server/src/store/postgres/moving.ts';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';
import { TestReceiver, until } from '../e2e/harness.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const EVENTS = 500;
const FLAGS = ['--retry-schedule', `0s${',1s'.repeat(9)}`];

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-moving-'));
const dataDir = join(folder, 'data');
const file = join(folder, 'moved.gz');
const receiver = new TestReceiver();
const arrived: Record<string, number[]> = { '/live': [], '/failing': [], '/paused': [] };
const processes: ChildProcess[] = [];
let isMoved = false;
let at = '';

before(async () => {
  at = await receiver.listen();
  receiver.answer = (response, { path, body }) => {
    const isTaken = path === '/live' || isMoved;
    response.writeHead(isTaken ? 200 : 503).end();
    if (isTaken) arrived[path]?.push(Number(/"N":(\d+)/.exec(body)?.[1]));
  };
});

after(async () => {
  for (const each of processes) await endProcess(each, 'SIGKILL');
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(flags: readonly string[] = []): Promise<ServerProcess> {
  const server = await startServerProcess({ dataDir, port: 0, flags: [...FLAGS, ...flags] });
  processes.push(server.process);
  return server;
}

type Ended = { readonly code: number | null; readonly output: string };

function run(...args: readonly string[]): [ChildProcess, Promise<Ended>] {
  const child = spawn(process.execPath, [MAIN, ...args]);
  processes.push(child);
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  return [child, once(child, 'close').then(([code]) => ({ code: code as number | null, output }))];
}

async function publishToThree(server: ServerProcess): Promise<void> {
  const client = new SchoolbellClient({ baseUrl: server.url, key: server.adminKey });
  for (const path of Object.keys(arrived)) {
    const WebHookUri = `${at}${path}?noecho`;
    await client.register({ WebHookUri, IsPaused: path === '/paused' });
  }
  const all = Array.from({ length: EVENTS }, (_, N) => ({ Action: 'CourseCompleted', N }));
  await client.publishAll(all);
  await receiver.expect('/live', EVENTS);
}

const INTO = (url: string): string[] => ['--database-url', url];
const KEYS = ['admin.key', 'encryption.key'];

test(
  'an installation moves to PostgreSQL with an import that is killed halfway, and every delivery arrives once',
  { timeout: 120_000 },
  async () => {
    const first = await serve();
    await publishToThree(first);
    await endProcess(first.process);

    const exported = await run('export', '--to', file, '--data', dataDir)[1];
    assert.equal(exported.code, 0, exported.output);
    assert.match(
      exported.output,
      /Exporting: 0 of (\d+) rows, 0 %\n.*Exporting: \1 of \1 rows, 100 %/s,
    );

    const { url } = await testDatabase();
    const [adminKey = '', encryptionKey = ''] = KEYS.map((name) =>
      readFileSync(join(dataDir, name), 'utf8').trim(),
    );
    const place = [...INTO(url), '--encryption-key', encryptionKey];
    const keys = [...place, '--admin-key', adminKey];
    const fill = ['import', '--from', file, ...place];
    await killWhenAttemptsCome(url, fill);

    const started = await run('serve', '--port', '0', ...keys)[1];
    assert.equal(started.code, 1);
    assert.match(started.output, /An import into this store has not come to its end/);

    const imported = await run(...fill)[1];
    assert.equal(imported.code, 0, imported.output);
    const [, rows, before] =
      /Imported (\d+) rows into PostgreSQL at \S+, (\d+) of them by earlier/.exec(imported.output)!;
    assert.equal(exported.output.includes(`Exported ${rows} rows`), true, exported.output);
    assert.ok(Number(before) >= 4 * EVENTS && Number(before) < Number(rows), imported.output);

    isMoved = true;
    const moved = await serve(keys);
    const client = new SchoolbellClient({ baseUrl: moved.url, key: adminKey });
    const paused = (await client.registrations()).find(({ IsPaused }) => IsPaused)!;
    const { WebHookUri, Secret } = paused;
    await client.replace(paused.Id, { WebHookUri, Secret, IsPaused: false });
    const pending = async (): Promise<number> => {
      for await (const _ of client.deliveries({ state: 'pending' })) return 1;
      for await (const _ of client.deliveries({ state: 'held' })) return 1;
      return 0;
    };
    await until(pending, (count) => count === 0);
    for (const [path, numbers] of Object.entries(arrived)) {
      assert.equal(numbers.length, EVENTS, path);
      assert.equal(new Set(numbers).size, EVENTS, path);
    }
  },
);

/** Holds the table that is filled last until the import has come to it, and kills it there. */
async function killWhenAttemptsCome(url: string, args: readonly string[]): Promise<void> {
  const options = { url, listenUrl: null, pooled: false, poolSize: 2, statementTimeoutMs: 5000 };
  await (await openPostgresMoving({ ...options, allowUnsafe: false })).close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin');
  await client.query('lock table attempts in share row exclusive mode');
  const [child, ended] = run(...args);
  const waiting = "select from pg_locks where not granted and relation = 'attempts'::regclass";
  await until(
    () => client.query(waiting),
    ({ rows }) => rows.length > 0,
  );
  child.kill('SIGKILL');
  assert.equal((await ended).code, null);
  await client.query('rollback');
  await client.end();
}
