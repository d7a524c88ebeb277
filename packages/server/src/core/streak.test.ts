import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { begunAgain, partToTell, percentOfWay, type Streak, streakAfter } from './streak.ts';

const DAY = 86_400_000;
const RULE = { afterMs: 5 * DAY, failures: 20 };

/** Failures at these times, each part told of when it is reached. */
function tell(times: readonly number[]): (number | undefined)[] {
  let streak: Streak | undefined;
  return times.map((now) => {
    streak = streakAfter(streak, now);
    const part = partToTell(streak, RULE, now);
    if (part !== undefined && part !== 100) streak = { ...streak, told: part };
    return part;
  });
}

test('one that fails each hour is told of at half, 70 and 90 percent of the time, and at its end', () => {
  const told = tell(Array.from({ length: 122 }, (_, hour) => (hour * DAY) / 24));
  const parts = told.flatMap((part, hour) => (part === undefined ? [] : [[hour, part]]));
  assert.deepEqual(parts, [
    [60, 50],
    [84, 70],
    [108, 90],
    [120, 100],
    [121, 100],
  ]);
});

test('few failures in a long time, and many in a short one, are not the whole way', () => {
  assert.equal(tell(Array.from({ length: 9 }, (_, n) => n * 10 * DAY)).at(-1), undefined);
  assert.equal(tell(Array.from({ length: 19 }, (_, n) => n * DAY)).at(-1), undefined);
  assert.equal(tell(Array.from({ length: 20 }, (_, n) => n * DAY)).at(-1), 100);
  assert.deepEqual(
    tell(Array.from({ length: 1000 }, (_, n) => n)),
    Array.from({ length: 1000 }, () => undefined),
  );
});

test('of several parts that are reached at once only the last is told', () => {
  const streak = { failures: 15, since: 0, told: 0, wasOff: false } as const;
  assert.equal(partToTell(streak, RULE, 10 * DAY), 70);
  assert.equal(partToTell({ ...streak, told: 70 }, RULE, 10 * DAY), undefined);
});

test('after a new beginning the time counts from the first failure', () => {
  const again = streakAfter(begunAgain(true, 1000), 3 * DAY);
  assert.deepEqual(again, { failures: 1, since: 3 * DAY, told: 0, wasOff: true });
});

test('the way is never less than nothing nor more than all of it, and never gets shorter', () => {
  const rule = fc.record({ afterMs: fc.integer({ min: 1 }), failures: fc.integer({ min: 1 }) });
  fc.assert(
    fc.property(rule, fc.nat(), fc.integer(), fc.nat(), (made, failures, since, more) => {
      const streak = { failures, since, told: 0, wasOff: false } as const;
      const now = percentOfWay(streak, made, 0);
      const later = percentOfWay({ ...streak, failures: failures + 1 }, made, more);
      assert.ok(now >= 0 && now <= later && later <= 100);
    }),
  );
});
