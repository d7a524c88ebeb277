import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runKills } from './kills.ts';

const LOAD = { publishers: 8, registrations: 2, onProgress: () => undefined };

test('nothing acknowledged is lost when the server is killed under load', async (t) => {
  const seed = Date.now() % 1_000_000;
  const report = await runKills({ ...LOAD, kills: 3, seed, signal: 'SIGKILL' });
  t.diagnostic(
    `seed ${seed}: ${report.acknowledged} acknowledged, ${report.lost} lost, ${report.duplicates} duplicates`,
  );
  assert.deepEqual(report.problems, []);
  assert.ok(report.acknowledged > 50);
});

test('a graceful stop under load loses nothing and repeats nothing', async (t) => {
  const seed = Date.now() % 1_000_000;
  const report = await runKills({ ...LOAD, kills: 3, seed, signal: 'SIGTERM' });
  t.diagnostic(
    `seed ${seed}: ${report.acknowledged} acknowledged, ${report.lost} lost, ${report.duplicates} duplicates`,
  );
  assert.deepEqual(report.problems, []);
});
