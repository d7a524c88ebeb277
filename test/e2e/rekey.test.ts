import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readRegistration } from '../../packages/server/src/service/registration-draft.ts';
import { startSchoolbell } from '../../packages/server/src/app/schoolbell.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const COUNT = 1000;
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-rekey-'));
const keyFile = join(folder, 'encryption.key');
const options = { dataDir: folder, port: 0, logLevel: 'silent' } as const;
/** What was registered, as the server knows it. */
let known = '';

before(async () => {
  const server = await startSchoolbell(options);
  const register = async (n: number): Promise<void> => {
    const draft = readRegistration(
      JSON.stringify({
        WebHookUri: `https://receiver.example/${n}?sig=query-${n}`,
        Headers: { 'X-Key': `value-${n}` },
      }),
    );
    const options = { verifyEcho: false, filtersUri: '' };
    await server.library.registrations.register('default', draft!, options);
  };
  await Promise.all(Array.from({ length: COUNT }, (_, n) => register(n)));
  await server.stop();
  known = await registrationsNow();
});

after(() => rmSync(folder, { recursive: true, force: true }));

type Ended = { readonly code: number | null; readonly output: string };

function run(
  args: readonly string[],
  env: Record<string, string> = {},
): [ChildProcess, Promise<Ended>] {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  );
  return [child, ended];
}

const rekey = (...args: string[]) => run(['rekey', '--data', folder, ...args]);

/** The ids of the keys that the stored texts are sealed with, and how often. */
function sealedWith(): Record<string, number> {
  const database = new DatabaseSync(join(folder, 'schoolbell.db'), { readOnly: true });
  const rows = database.prepare('select document from registrations').all();
  database.close();
  const found: Record<string, number> = {};
  for (const [, id = ''] of JSON.stringify(rows).matchAll(/v1\.([0-9a-f]{8})\./g))
    found[id] = (found[id] ?? 0) + 1;
  return found;
}

async function registrationsNow(): Promise<string> {
  const server = await startSchoolbell(options);
  const list = JSON.stringify(server.library.registrations.list('default'));
  await server.stop();
  return list;
}

test('a run that is killed goes on where it was, and the server starts with both keys between', async () => {
  const [oldKey] = Object.keys(sealedWith());
  const [child, ended] = rekey('--new-key');
  const begun = new Promise<void>((resolve) =>
    child.stdout?.on('data', (chunk) => String(chunk).includes('Encrypted') && resolve()),
  );
  await Promise.race([begun, ended]);
  child.kill('SIGKILL');
  await ended;
  const half = sealedWith();
  assert.equal(Object.keys(half).length, 2, 'killed between');
  assert.equal(await registrationsNow(), known);
  const { code, output } = await rekey('--new-key')[1];
  assert.equal(code, 0, output);
  assert.match(
    output,
    /All 1000 registrations are encrypted with the key [0-9a-f]{8}; [1-9]\d* were before\./,
  );
  assert.match(output, /old key was removed/);
  const done = sealedWith();
  assert.equal(Object.values(done)[0], 3 * COUNT);
  assert.equal(done[oldKey ?? ''], undefined);
  assert.equal(readFileSync(keyFile, 'utf8').trim().split(',').length, 1);
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  assert.equal(await registrationsNow(), known);
  const again = await rekey()[1];
  assert.match(again.output, /; 1000 were before\.\n$/);
});

test('keys of the environment are changed by naming both, and a wrong one changes nothing', async () => {
  const old = readFileSync(keyFile, 'utf8').trim();
  const [fresh, wrong] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  const before = sealedWith();
  const refused = await rekey('--encryption-key', wrong)[1];
  assert.deepEqual([refused.code, refused.output.split('\n').length], [1, 2]);
  assert.match(refused.output, /is not the one that the stored registrations were encrypted with/);
  assert.deepEqual(sealedWith(), before);
  const env = { SCHOOLBELL_ENCRYPTION_KEY: `${fresh}, ${old}` };
  const done = await run(['rekey', '--data', folder], env)[1];
  assert.equal(done.code, 0, done.output);
  assert.match(done.output, /Other keys than the first are not needed/);
  const started = await run(['serve', '--data', folder, '--port', '0'])[1];
  assert.equal(started.code, 1);
  assert.match(started.output, /^schoolbell: The encryption key is not the one .*\n$/);
  writeFileSync(keyFile, `${fresh}\n`);
  assert.equal(await registrationsNow(), known);
});

test('it is refused with a sentence while a server runs, without a store, and for a key file that others read', async () => {
  const server = await startSchoolbell(options);
  const busy = await rekey()[1];
  assert.match(busy.output, /is in use by another process\. Stop that one first/);
  await server.stop();
  const none = await run(['rekey', '--data', join(folder, 'none')])[1];
  assert.match(none.output, /^schoolbell: There is no store in .*\n$/);
  chmodSync(keyFile, 0o640);
  for (const command of ['rekey', 'serve']) {
    const { code, output } = await run([command, '--data', folder])[1];
    assert.equal(code, 1);
    assert.match(output, /^schoolbell: Others may read the key file .* chmod 600 .*\n$/);
  }
  chmodSync(keyFile, 0o600);
});

test('a sealed text that was moved to another registration is refused at start, by name', async () => {
  const database = new DatabaseSync(join(folder, 'schoolbell.db'));
  const rows = database.prepare('select id, document from registrations limit 2').all();
  const [one, two] = rows.map((row) => JSON.parse(String(row['document'])));
  const swapped = JSON.stringify({ ...one, secret: two.secret });
  database.prepare('update registrations set document = ? where id = ?').run(swapped, one.id);
  database.close();
  const { code, output } = await run(['serve', '--data', folder, '--port', '0'])[1];
  assert.equal(code, 1);
  assert.match(
    output,
    new RegExp(`The registration ${one.id} of the tenant default cannot be decrypted`),
  );
  assert.equal(output.split('\n').length, 2);
});

test('help says how a key is changed', async () => {
  const { output } = await run(['rekey', '--help'])[1];
  assert.match(output, /--new-key/);
  assert.match(output, /goes on where it was/);
});
