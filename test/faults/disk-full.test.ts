import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';

/** No file of a process may grow past this; writes fail as on a full disk. The hard limit stays, so that it can be lifted. */
function limitFiles(pid: number | undefined, limit: string): void {
  execFileSync('prlimit', ['--pid', String(pid), `--fsize=${limit}:unlimited`]);
}

test('a full disk answers 503 and never 202, and publishing goes on by itself when there is room', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-full-'));
  const server = await startServerProcess({ dataDir: folder, port: 0 });
  try {
    const headers = {
      authorization: `Bearer ${server.adminKey}`,
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ Action: 'CourseCompleted', text: 'x'.repeat(100_000) });
    const publish = () => fetch(`${server.url}/webhooks/events`, { method: 'POST', headers, body });
    const accepted: string[] = [];
    limitFiles(
      server.process.pid,
      String(statSync(join(folder, 'schoolbell.db-wal')).size + 2_000_000),
    );
    let refused: Response | undefined;
    for (let n = 0; n < 200 && refused === undefined; n += 1) {
      const response = await publish();
      if (response.status === 202) accepted.push(((await response.json()) as { Id: string }).Id);
      else refused = response;
    }
    assert.equal(refused?.status, 503);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.match(await refused.text(), /disk of the store .* Nothing was written; try again later/);

    limitFiles(server.process.pid, 'unlimited');
    assert.equal((await publish()).status, 202);
    assert.equal((await fetch(`${server.url}/health/ready`)).status, 200);
    assert.ok(accepted.length > 5);
    for (const id of accepted)
      assert.equal((await fetch(`${server.url}/webhooks/events/${id}`, { headers })).status, 200);
  } finally {
    await endProcess(server.process);
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Mounts need rights that not every machine gives. */
const MAY_MOUNT =
  spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt']).status === 0;

test(
  'a disk that is full answers 503, loses nothing and is written to as soon as it has room',
  {
    skip: MAY_MOUNT ? false : 'this machine lets nobody mount a small disk',
  },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'schoolbell-disk-'));
    const script = fileURLToPath(new URL('./disk-full-in-namespace.ts', import.meta.url));
    const mount = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" "$1"';
    try {
      const output = execFileSync(
        'unshare',
        ['-rm', 'sh', '-c', mount, 'sh', folder, process.execPath, script],
        { encoding: 'utf8' },
      );
      const told = JSON.parse(output) as {
        refused: { status: number; text: string };
        again: number;
        accepted: number;
        kept: number;
      };
      assert.equal(told.refused.status, 503);
      assert.match(told.refused.text, /The disk of the store is full\. Nothing was written/);
      assert.equal(told.again, 202);
      assert.ok(told.accepted > 5);
      assert.equal(told.kept, told.accepted);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
