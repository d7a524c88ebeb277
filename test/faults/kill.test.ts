import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { clockSteps, CRASH_POINTS, crashes, type Fault, kill, stop } from './faults.ts';
import { runFaults } from './run.ts';

const SHORT_PAUSE = { leastMs: 50, mostMs: 400 };

/** Prints its seed, so that what failed can be run again. */
async function hold(t: TestContext, faults: readonly Fault[], failing = 0.01): Promise<void> {
  const seed = Date.now() % 1_000_000;
  const report = await runFaults({
    seed,
    faults,
    load: { calls: 8, rate: 200, eventsPerCall: 1, maxEvents: Infinity },
    recorder: { medianMs: 4, failing },
    registrations: 2,
    readyWithinMs: 30_000,
    onProgress: () => undefined,
  });
  const { acknowledged, lost, duplicates } = report;
  t.diagnostic(
    `seed ${seed}: ${acknowledged} acknowledged, ${lost} lost, ${duplicates} duplicates`,
  );
  assert.deepEqual(report.problems, []);
  assert.ok(acknowledged > 50);
}

test('nothing acknowledged is lost when the server is killed under load', (t) =>
  hold(
    t,
    Array.from({ length: 20 }, () => kill(SHORT_PAUSE)),
  ));

test('nothing acknowledged is lost when the server dies before or after any commit, send or answer', (t) =>
  hold(t, [crashes(CRASH_POINTS)]));

test('a graceful stop under load loses nothing and repeats nothing', (t) =>
  hold(
    t,
    Array.from({ length: 4 }, () => stop(SHORT_PAUSE)),
  ));

test('a clock that is set forward and back by hours loses, repeats and delays nothing', (t) =>
  hold(t, [clockSteps(400)], 0.3));
