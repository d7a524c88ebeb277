import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Breaker, breakerAfter, CLOSED_BREAKER, FAILURES_TO_OPEN, mayTry } from './breaker.ts';

const attempts = fc.array(
  fc.record({
    // Mostly failures, so that long rows of them occur.
    ok: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
    afterMs: fc.integer({ min: 0, max: 700_000 }),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  { maxLength: 60 },
);

test('it is open only after enough failures in a row, and never for longer than twelve minutes', () => {
  fc.assert(
    fc.property(attempts, (rows) => {
      let breaker: Breaker = CLOSED_BREAKER;
      let now = 0;
      let inARow = 0;
      for (const { ok, afterMs, random } of rows) {
        now += afterMs;
        breaker = breakerAfter(breaker, { ok, now, random });
        inARow = ok ? 0 : inARow + 1;
        assert.equal(breaker.state, inARow >= FAILURES_TO_OPEN ? 'open' : 'closed');
        if (breaker.state === 'open') assert.ok(breaker.until - now <= 720_000);
      }
    }),
  );
});

test('it lets nothing through before its time, and then one request at a time', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
      let breaker: Breaker = CLOSED_BREAKER;
      for (let n = 0; n < FAILURES_TO_OPEN; n += 1) {
        breaker = breakerAfter(breaker, { ok: false, now: 0, random });
      }
      assert.ok(breaker.state === 'open');
      const { until } = breaker;
      assert.ok(until >= 4000 && until <= 6000, `${until}`);
      assert.equal(mayTry(breaker, { now: until - 1, inFlight: 0 }), false);
      assert.equal(mayTry(breaker, { now: until, inFlight: 0 }), true);
      assert.equal(mayTry(breaker, { now: until, inFlight: 1 }), false);
    }),
  );
});
