import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestReceiver } from '../e2e/harness.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'packages/server/src/cli/main.ts');
const NOBODY = 65_534;
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-confined-'));
const data = join(folder, 'data');
mkdirSync(data);

after(() => rmSync(folder, { recursive: true, force: true }));

/** The whole tree read-only but for the data folder, in a mount namespace of its own. */
const CONFINE = `
set -e
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
mount -o remount,bind,ro /
for each in /tmp /var /dev/shm /run; do
  if mountpoint -q "$each"; then mount -o remount,bind,ro "$each"; fi
done
mount -o remount,bind,rw "$DATA"
if touch "$ROOT/written" 2>/dev/null; then rm -f "$ROOT/written"; echo 'the root can be written' >&2; exit 97; fi
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --no-new-privs --bounding-set=-all "$@"`;

function mayConfine(): boolean {
  const probe = spawnSync('unshare', [
    '-m',
    'sh',
    '-c',
    'mount --make-rprivate / && setpriv --help',
  ]);
  return probe.status === 0 && process.getuid?.() === 0;
}

test('it works as nobody on a read-only root, with only its data folder to write to', async (t) => {
  if (!mayConfine()) return t.skip('this machine lets no mount namespace be made (needs root)');
  chownSync(data, NOBODY, NOBODY);
  spawnSync('chmod', ['o+x', folder]);
  const receiver = new TestReceiver();
  t.after(() => receiver.close());
  const at = await receiver.listen();
  const node = [process.execPath, MAIN];
  const serve = ['serve', '--port', '0', '--data', data, '--allow-networks', '127.0.0.0/8'];
  const child = spawn('unshare', ['-m', 'sh', '-c', CONFINE, 'sh', ...node, ...serve], {
    cwd: '/',
    env: { PATH: process.env['PATH'], DATA: data, ROOT, SCHOOLBELL_ADMIN_KEY: 'k'.repeat(40) },
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      output += chunk.toString();
      const ready = /"url":"([^"]+)"/.exec(output)?.[1];
      if (ready !== undefined) resolve(ready);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('close', () => reject(new Error(output)));
  });
  const call = (path: string, body: object) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${'k'.repeat(40)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  assert.equal((await call('/webhooks/registrations', { WebHookUri: `${at}/hook` })).status, 201);
  assert.equal((await call('/webhooks/events', { Action: 'A' })).status, 202);
  await receiver.expect('/hook', 1);
  assert.equal((await fetch(`${url}/swagger/`)).status, 200);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0, output);
});
