import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { smoothClock } from './clock.ts';

const HOUR_MS = 3_600_000;
const START = Date.UTC(2026, 8, 1);

/** A machine whose clock can be set while time goes on. */
function machine() {
  const is = { elapsed: 0, offset: 0 };
  const wall = { now: () => START + is.elapsed + is.offset };
  return { is, wall, clock: smoothClock(wall, () => is.elapsed) };
}

test('the clock is that of the machine as long as nobody sets it', () => {
  const { is, wall, clock } = machine();
  for (const elapsed of [0, 1, 1000, 90 * 24 * HOUR_MS]) {
    is.elapsed = elapsed;
    assert.equal(clock.now(), wall.now());
  }
});

test('small corrections are followed at once, but never back', () => {
  const { is, clock } = machine();
  is.offset = 500;
  assert.equal(clock.now(), START + 500);
  is.offset = 0;
  assert.equal(clock.now(), START + 500);
  is.elapsed = 600;
  assert.equal(clock.now(), START + 600);
});

test('set forward by an hour it goes twice as fast, and is right after an hour', () => {
  const { is, wall, clock } = machine();
  is.offset = HOUR_MS;
  assert.equal(clock.now(), START);
  is.elapsed = 60_000;
  assert.equal(clock.now(), START + 120_000);
  is.elapsed = HOUR_MS + 10_000;
  assert.equal(clock.now(), wall.now());
});

test('set back by an hour it goes half as fast, and is right after two hours', () => {
  const { is, wall, clock } = machine();
  is.offset = -HOUR_MS;
  is.elapsed = 60_000;
  assert.equal(clock.now(), START + 30_000);
  is.elapsed = 2 * HOUR_MS + 10_000;
  assert.equal(clock.now(), wall.now());
});

test('a jump of years forward is believed', () => {
  const { is, wall, clock } = machine();
  is.offset = 50 * 365 * 24 * HOUR_MS;
  assert.equal(clock.now(), wall.now());
});

test('however the machine is set within a day, time goes on at half to double speed', () => {
  const offsets = fc.integer({ min: -10 * HOUR_MS, max: 10 * HOUR_MS });
  const steps = fc.array(fc.tuple(fc.nat(HOUR_MS), offsets), { maxLength: 50 });
  fc.assert(
    fc.property(steps, (all) => {
      const { is, clock } = machine();
      for (const [elapsed, offset] of all) {
        const before = clock.now();
        is.elapsed += elapsed;
        is.offset = offset;
        const passed = clock.now() - before;
        assert.ok(passed >= Math.floor(elapsed / 2) - 2001, `${passed} of ${elapsed}`);
        assert.ok(passed <= elapsed * 2 + 2001, `${passed} of ${elapsed}`);
      }
    }),
  );
});
