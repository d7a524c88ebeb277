import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Outcome } from './outcome.ts';
import { CALM, newRamp, QUICK_MS, rampAfter } from './ramp.ts';

const answer = (status: number): Outcome => ({
  kind: 'response',
  status,
  response: { headers: [], body: '', truncated: false },
});
const TIMEOUT: Outcome = { kind: 'timeout', phase: 'response', afterMs: 15_000 };
const attempts = fc.record({
  outcome: fc.constantFrom(answer(200), answer(404), answer(429), answer(503), TIMEOUT),
  durationMs: fc.integer({ min: 0, max: 2 * QUICK_MS }),
});

test('concurrency stays from 1 to its limit, and only good answers raise it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(attempts), (limit, list) => {
      let ramp = newRamp(limit);
      for (const attempt of list) {
        const after = rampAfter(ramp, attempt);
        const { outcome, durationMs } = attempt;
        const isGood = outcome.kind === 'response' && outcome.status === 200;
        assert.ok(after.concurrency >= 1 && after.concurrency <= limit);
        assert.ok(isGood || after.concurrency <= ramp.concurrency);
        if (isGood && durationMs > QUICK_MS) assert.ok(after.concurrency <= CALM);
        ramp = after;
      }
    }),
  );
});

test('good and quick answers alone reach the limit, whatever it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (limit) => {
      let ramp = newRamp(limit);
      for (let n = 0; n < 2 * limit; n += 1)
        ramp = rampAfter(ramp, { outcome: answer(200), durationMs: QUICK_MS });
      assert.equal(ramp.concurrency, limit);
    }),
  );
});

test('an endpoint that takes its time gets no more than any other, and less again when it slows down', () => {
  const after = (ramp: ReturnType<typeof newRamp>, durationMs: number, times: number) => {
    let last = ramp;
    for (let n = 0; n < times; n += 1) last = rampAfter(last, { outcome: answer(200), durationMs });
    return last;
  };
  const slow = after(newRamp(32), 400, 100);
  assert.equal(slow.concurrency, CALM);
  const quick = after(slow, 3, 100);
  assert.equal(quick.concurrency, 32);
  assert.equal(after(quick, QUICK_MS + 1, 1).concurrency, CALM);
});
