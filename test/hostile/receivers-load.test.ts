import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  answers,
  closeServers,
  plain,
  rawServer,
} from '../../packages/server/src/egress/testing/raw-server.ts';
import { ROWS } from './receivers-rows.ts';
import type { LoadOrder, LoadReport } from './receivers-sender.ts';

/** Those that send the most, or the most work. */
const HEAVY = ['R043', 'R045', 'R047', 'R061', 'R086', 'R087'];
const ATTEMPTS = 300;
const AT_ONCE = 100;
/** Garbage of a hundred answers at once included; what is not bounded takes gigabytes. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;
/** Both sides, and all other tests, share the processors of this machine. */
const MAX_GOOD_P99_MS = 5000;

after(() => closeServers());

test(`the worst receivers, ${ATTEMPTS} attempts at each, cost bounded memory, no crash and no neighbour`, async (t) => {
  const hostile = await Promise.all(
    ROWS.filter(({ id }) => HEAVY.includes(id)).map(async ({ id, serve }) => ({
      id,
      port: (await rawServer(serve)).port,
    })),
  );
  assert.equal(hostile.length, HEAVY.length);
  const good = (await rawServer(answers(plain(200)))).port;
  const report = await sendFrom({ good, hostile, attempts: ATTEMPTS, atOnce: AT_ONCE });
  t.diagnostic(`good receiver alone: p99 ${report.alone.p99Ms.toFixed(1)} ms`);
  for (const { id, endings, grownBytes, good: beside } of report.rows) {
    const grown = (grownBytes / 1024 / 1024).toFixed(0);
    t.diagnostic(
      `${id}: ${JSON.stringify(endings)}, +${grown} MiB, good receiver p99 ${beside.p99Ms.toFixed(1)} ms of ${beside.count}`,
    );
  }
  for (const { id, endings, grownBytes, good: beside } of report.rows) {
    const expected = ROWS.find((row) => row.id === id)?.ends ?? [];
    assert.deepEqual(
      Object.keys(endings).filter((end) => !expected.includes(end)),
      [],
      id,
    );
    assert.ok(grownBytes < MAX_GROWTH_BYTES, `${id} took ${grownBytes} bytes`);
    assert.equal(beside.failed, 0, id);
    assert.ok(beside.p99Ms < MAX_GOOD_P99_MS, `${id}: ${beside.p99Ms} ms`);
  }
  assert.deepEqual(report.left, []);
});

/** Runs a sender of its own; it must end by itself, with nothing left open. */
async function sendFrom(order: LoadOrder): Promise<LoadReport> {
  const child = fork(fileURLToPath(new URL('receivers-sender.ts', import.meta.url)));
  const ended = once(child, 'exit');
  child.send(order);
  const [report] = (await once(child, 'message')) as [LoadReport];
  assert.deepEqual(await ended, [0, null]);
  return report;
}
