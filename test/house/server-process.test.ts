import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';

test('a server that writes much in the moment it is ready is found ready', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'schoolbell-process-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const entry = join(dataDir, 'talks.mjs');
  const ready = JSON.stringify({ url: 'http://127.0.0.1:1' });
  writeFileSync(
    entry,
    `process.stdout.write(${JSON.stringify(ready)} + '-'.repeat(50_000)); setTimeout(() => undefined, 10_000);`,
  );
  const server = await startServerProcess({ dataDir, port: 0, adminKey: 'unused', entry });
  t.after(() => endProcess(server.process));
  assert.equal(server.url, 'http://127.0.0.1:1');
});
