import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { exportInstallation } from '../../packages/server/src/app/export.ts';
import { importInstallation, type Imported } from '../../packages/server/src/app/import.ts';
import { type Config, readConfig } from '../../packages/server/src/config/config.ts';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const adminKey = randomBytes(24).toString('hex');
const server = new TestServer({ adminKey });
const receiver = new TestReceiver();
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-moving-'));
const file = join(folder, 'exported');
const BASE = readConfig({}, {});

/** What the first server said of everything, before it was moved. */
let told: Record<string, unknown> = {};
let encryptionKey = '';
let databaseUrl = '';
/** In the file. */
let rows = 0;

before(async () => {
  const at = await receiver.listen();
  await server.start();
  const admin = caller(server, () => adminKey);
  await admin('POST', '/admin/tenants', { Id: 'north', Name: 'Nørth "1"' });
  await admin('POST', '/admin/tenants/north/keys', { Level: 'Publish', Name: 'lms' });
  await admin('PUT', '/admin/filters/BadgeWon', { Description: 'A badge was won.' });
  const north = caller(server, () => adminKey, 'north');
  receiver.answer = (response, { path }) => response.writeHead(path === '/bad' ? 500 : 200).end();
  for (const [path, more] of Object.entries(REGISTRATIONS)) {
    const body = { WebHookUri: `${at}${path}`, Secret: 'a'.repeat(40), ...more };
    assert.equal((await north('POST', '/webhooks/registrations', body)).status, 201);
  }
  for (let n = 0; n < 20; n += 1) {
    const body = `{"Action":"CourseCompleted", "N":1.0e${n}, "Course":{"Id":"c${n % 3}"},"Users":[{"Id":${n}}]}`;
    await north('POST', '/webhooks/events', body, { 'idempotency-key': `call-${n}` });
  }
  await north('POST', '/webhooks/events', { Action: 'BadgeWon' });
  const open = () => north('GET', '/webhooks/deliveries?state=pending');
  await until(open, ({ json }) => json.Items.length === 0);
  told = await everything(server);
  await server.stop();
  encryptionKey = readFileSync(join(server.folder, 'encryption.key'), 'utf8').trim();
  databaseUrl = (await testDatabase()).url;
  ({ rows } = await exportFrom({ dataDir: server.folder }));
});

const REGISTRATIONS = {
  '/good': { Filters: ['CourseCompleted'], Headers: { 'X-Key': 'value' }, Ordering: 'subject' },
  '/bad': { Filters: ['BadgeWon'] },
  '/paused': { IsPaused: true, Filters: ['CourseCompleted'], Properties: { b: 1, 1: 2 } },
};

after(async () => {
  await server.end();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Every list there is, and every delivery. */
async function everything(asked: TestServer): Promise<Record<string, unknown>> {
  const north = caller(asked, () => adminKey, 'north');
  const said: Record<string, unknown> = {};
  const ask = async (path: string): Promise<unknown> => {
    const { status, json } = await north('GET', path);
    assert.equal(status, 200, path);
    said[path] = json;
    return json;
  };
  for (const path of LISTS) await ask(path);
  const { Items } = said['/webhooks/deliveries?limit=200'] as { Items: { Id: string }[] };
  assert.equal(Items.length, 41);
  for (const { Id } of Items) await ask(`/webhooks/deliveries/${Id}`);
  return said;
}

const LISTS = [
  '/admin/tenants',
  '/admin/tenants/north/keys',
  '/admin/filters',
  '/admin/audit?limit=200',
  '/webhooks/audit?limit=200',
  '/webhooks/registrations',
  '/webhooks/events?limit=200',
  '/webhooks/events?subject=c1&limit=200',
  '/webhooks/events?action=CourseCompleted&count=true',
  '/webhooks/deliveries?limit=200',
  '/webhooks/deliveries?state=held&limit=200&count=true',
  '/webhooks/deliveries?state=exhausted&limit=200',
  '/webhooks/deliveries?outcome=http_5xx&limit=200',
];

const exportFrom = (config: Partial<Config>, to = file) =>
  exportInstallation({ config: { ...BASE, ...config }, file: to, onProgress: () => undefined });
const importInto = (config: Partial<Config>, from = file): Promise<Imported> =>
  importInstallation({ config: { ...BASE, ...config }, file: from, onProgress: () => undefined });

test('what is moved to PostgreSQL and back answers every call as before, and repeated calls too', async () => {
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(existsSync(`${file}.part`), false);
  const done = await importInto({ databaseUrl, encryptionKey });
  assert.deepEqual([done.rows, done.before], [rows, 0]);
  const shared = new TestServer({ databaseUrl, encryptionKey, adminKey });
  await shared.start();
  assert.deepEqual(await everything(shared), told);
  await assert.rejects(
    exportFrom({ databaseUrl }, join(folder, 'busy')),
    /in use by these nodes: \S+\. Stop/,
  );
  await assert.rejects(
    importInto({ databaseUrl, encryptionKey }),
    /in use by these nodes: \S+\. Stop/,
  );
  await shared.stop();

  const second = join(folder, 'second');
  await exportFrom({ databaseUrl }, second);
  const back = new TestServer({ adminKey });
  copyFileSync(join(server.folder, 'encryption.key'), join(back.folder, 'encryption.key'));
  await importInto({ dataDir: back.folder }, second);
  await back.start();
  assert.deepEqual(await everything(back), told);
  const north = caller(back, () => adminKey, 'north');
  const repeated = `{"Action":"CourseCompleted", "N":1.0e3, "Course":{"Id":"c0"},"Users":[{"Id":3}]}`;
  const { status } = await north('POST', '/webhooks/events', repeated, {
    'idempotency-key': 'call-3',
  });
  assert.equal(status, 202);
  assert.equal((await north('GET', '/webhooks/deliveries?limit=200')).json.Items.length, 41);
  await shared.end();
  await back.end();
});

test('an export is refused beside a running server, without a store, and over a file that is there', async () => {
  const other = new TestServer();
  await other.start();
  const target = join(folder, 'refused');
  const from = (dataDir: string, to = target) => exportFrom({ dataDir }, to);
  await assert.rejects(from(other.folder), /in use by another process\. Stop that one first/);
  await other.end();
  await assert.rejects(from(join(folder, 'none')), /There is no store in .*none\. Name its folder/);
  await assert.rejects(from(server.folder, file), /There is something at .* already/);
  await assert.rejects(from(server.folder, join(folder, 'none', 'file')), /ENOENT/);
  const { url } = await testDatabase();
  await assert.rejects(
    exportFrom({ databaseUrl: url }, target),
    /no server was ever started on it/,
  );
  assert.equal(existsSync(target), false);
});

test('an export that was cut short begins again', async () => {
  const target = join(folder, 'again');
  writeFileSync(`${target}.part`, 'half');
  await exportFrom({ dataDir: server.folder }, target);
  assert.equal(existsSync(`${target}.part`), false);
  assert.ok(gunzipSync(readFileSync(target)).length > 10_000);
});

/** An empty data folder with the key of the first server. */
function emptyFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700 });
  copyFileSync(join(server.folder, 'encryption.key'), join(path, 'encryption.key'));
  return path;
}

test('an import is refused into a store that has something, and a second time', async () => {
  const dataDir = emptyFolder('twice');
  await importInto({ dataDir });
  await assert.rejects(
    importInto({ dataDir }),
    /this file was imported into it already, to the end/,
  );
  const used = new TestServer({ encryptionKey });
  await used.start();
  await assert.rejects(
    importInto({ dataDir: used.folder, encryptionKey }),
    /in use by another process/,
  );
  await used.stop();
  await assert.rejects(
    importInto({ dataDir: used.folder, encryptionKey }),
    /is not empty: it has tenants \(1\).*no server was started on/,
  );
  await used.end();
});

test('an import without the key, or with another one, says which is needed and writes nothing', async () => {
  const dataDir = join(folder, 'keyless');
  const needed = /The key [0-9a-f]{8} that the exported registrations .* SCHOOLBELL_ENCRYPTION_KEY/;
  await assert.rejects(importInto({ dataDir }), needed);
  const wrong = randomBytes(32).toString('base64');
  await assert.rejects(importInto({ dataDir, encryptionKey: wrong }), /is another one/);
  assert.equal(existsSync(dataDir), false);
});

test('a file that is cut short, changed or no export is refused before anything is written', async () => {
  const dataDir = emptyFolder('untouched');
  const refused = async (name: string, bytes: Buffer, sentence: RegExp): Promise<void> => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    await assert.rejects(importInto({ dataDir }, path), sentence, name);
  };
  const whole = readFileSync(file);
  const text = gunzipSync(whole).toString('utf8');
  const lines = text.split('\n');
  const zipped = (changed: string): Buffer => gzipSync(changed);
  const short = join(folder, 'short');
  writeFileSync(short, whole);
  truncateSync(short, whole.length - 200);
  await assert.rejects(importInto({ dataDir }, short), /is cut short/);
  await refused('lineless', zipped(`${lines.slice(0, -2).join('\n')}\n`), /is cut short/);
  await refused('rowless', zipped(lines.toSpliced(5, 1).join('\n')), /is not as it was written/);
  await refused(
    'other row',
    zipped(text.replace('BadgeWon', 'BadgeWin')),
    /is not as it was written/,
  );
  await refused(
    'bits',
    Buffer.from(whole.map((byte, at) => (at === 999 ? byte ^ 255 : byte))),
    /is not as it was written/,
  );
  await refused('foreign', zipped('{"a":1}\n'), /was not made by `schoolbell export`/);
  await refused('plain', Buffer.from('hello'), /was not made by `schoolbell export`/);
  await refused('empty', Buffer.alloc(0), /was not made by `schoolbell export`|is cut short/);
  await refused(
    'newer',
    zipped(text.replace('"Format":1', '"Format":2')),
    /whose rows are not those of this version/,
  );
  assert.equal(existsSync(join(dataDir, 'schoolbell.db')), false);
});

test('the commands say what they do, show nothing when quiet, and end with 1 and one line when they cannot', async () => {
  const run = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile(process.execPath, [MAIN, ...args], (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });
  const [help, quiet, failed] = await Promise.all([
    run('import', '--help'),
    run('export', '--quiet', '--data', server.folder, '--to', join(folder, 'quiet')),
    run('import', '--from', join(folder, 'nothing')),
  ]);
  assert.match(help.out, /goes on where\nit was, and neither repeats a row nor leaves one out/);
  assert.deepEqual([quiet.code, quiet.err], [0, '']);
  assert.match(quiet.out, /^Exported \d+ rows from \S+ to \S+\.\n$/);
  assert.equal(failed.code, 1);
  assert.match(failed.err, /^schoolbell: There is no file \S+\.\n$/);
});
