import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { installedBinaries } from '../../tools/postgres/binaries.ts';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';
import { type Received, TestReceiver, TestServer } from '../e2e/harness.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const run = promisify(execFile);
const FLAGS = ['--retry-schedule', '0s,1s,1s,1s,1s,1s,1s,1s,1s,1s'];

function backUp(dataDir: string, target: string): Promise<{ stdout: string }> {
  return run(process.execPath, [MAIN, 'backup', target, '--data', dataDir]);
}

/** Refuses everything until `open` is called; `arrival` resolves when each of so many events came. */
async function startReceiver(
  t: TestContext,
  events: number,
): Promise<{ port: number; open: () => void; arrival: Promise<void> }> {
  let isOpen = false;
  const missing = new Set(Array.from({ length: events }, (_, n) => n));
  const arrival = Promise.withResolvers<void>();
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.writeHead(isOpen ? 200 : 503).end();
      if (isOpen) missing.delete(Number(/"N":(\d+)/.exec(body)?.[1]));
      if (missing.size === 0) arrival.resolve();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, open: () => (isOpen = true), arrival: arrival.promise };
}

/** Events acknowledged before the backup begins. */
const EVENTS = 100;

test(
  'a server on a backup taken under load sends what was not delivered when it was taken',
  { timeout: 60_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'schoolbell-backup-'));
    const [dataDir, copy] = [join(folder, 'data'), join(folder, 'copy')];
    const receiver = await startReceiver(t, EVENTS);
    const original = await startServerProcess({ dataDir, port: 0, flags: FLAGS });
    t.after(async () => {
      await endProcess(original.process, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });
    const client = new SchoolbellClient({ baseUrl: original.url, key: original.adminKey });
    await client.register({ WebHookUri: `http://127.0.0.1:${receiver.port}/hook?noecho` });
    const publish = (n: number) => client.publish({ Action: 'CourseCompleted', N: n });
    for (let n = 0; n < EVENTS; n += 1) await publish(n);

    const underWay = { backup: true };
    const backup = backUp(dataDir, copy).finally(() => (underWay.backup = false));
    for (let n = EVENTS; underWay.backup; n += 1) await publish(n);
    assert.match((await backup).stdout, /^Backed up .* \(\d+ pages\)\.\n$/);
    assert.equal(statSync(join(copy, 'schoolbell.db')).mode & 0o077, 0);
    await endProcess(original.process, 'SIGKILL');

    receiver.open();
    const restored = await startServerProcess({ dataDir: copy, port: 0, flags: FLAGS });
    t.after(() => endProcess(restored.process));
    assert.equal(restored.adminKey, original.adminKey);
    await receiver.arrival;
  },
);

test('a backup refuses a folder that is there, and a data folder without a store', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-backup-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  await assert.rejects(backUp(folder, join(folder, 'copy')), /There is no store at/);
  const server = await startServerProcess({ dataDir: join(folder, 'data'), port: 0 });
  await endProcess(server.process);
  await assert.rejects(backUp(join(folder, 'data'), folder), /There is something at .* already/);
});

/** The program beside the PostgreSQL that is installed; the one that npm brings has none. */
function installed(program: string): string | undefined {
  const path = join(installedBinaries()?.bin ?? '', program);
  return existsSync(path) ? path : undefined;
}

const SENT = 20;

test(
  'a database restored from pg_dump sends what was not delivered when it was taken, also what was delivered afterwards',
  { timeout: 60_000, skip: installed('pg_dump') === undefined && 'pg_dump is not installed' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'schoolbell-dump-'));
    const receiver = new TestReceiver();
    const at = await receiver.listen();
    t.after(async () => {
      await receiver.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const [original, restored] = [await testDatabase(), await testDatabase()];
    const keys = {
      adminKey: randomBytes(24).toString('hex'),
      encryptionKey: randomBytes(32).toString('base64'),
    };
    const server = new TestServer({ databaseUrl: original.url, ...keys });
    t.after(() => server.end());
    await server.start();
    const api = (of: TestServer) =>
      new SchoolbellClient({ baseUrl: of.running.url, key: keys.adminKey, tenant: 'default' });
    const registration = { WebHookUri: `${at}/hook?noecho`, IsPaused: true };
    const { Id, Secret } = await api(server).register(registration);
    for (let n = 0; n < SENT; n += 1)
      await api(server).publish({ Action: 'CourseCompleted', N: n });

    const file = join(folder, 'dump');
    await run(installed('pg_dump')!, ['--format=custom', '--file', file, '--dbname', original.url]);
    const goOn = (of: TestServer) =>
      api(of).replace(Id, { WebHookUri: `${at}/hook?noecho`, Secret, IsPaused: false });
    await goOn(server);
    const before = await receiver.expect('/hook', SENT);
    await server.stop();

    await run(installed('pg_restore')!, [
      '--exit-on-error',
      '--no-owner',
      '--dbname',
      restored.url,
      file,
    ]);
    const second = new TestServer({ databaseUrl: restored.url, ...keys });
    t.after(() => second.end());
    await second.start();
    await goOn(second);
    const all = await receiver.expect('/hook', 2 * SENT);
    const idsOf = (some: readonly Received[]): string[] =>
      some.map(({ body }) => String(/"Id":"([0-9a-f]{32})"/.exec(body)?.[1])).toSorted();
    assert.equal(new Set(idsOf(before)).size, SENT);
    assert.deepEqual(idsOf(all.slice(SENT)), idsOf(before), 'known by their ids');
  },
);
