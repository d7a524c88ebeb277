import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Outcome } from './outcome.ts';
import { newRamp, rampAfter } from './ramp.ts';

const answer = (status: number): Outcome => ({
  kind: 'response',
  status,
  response: { headers: [], body: '', truncated: false },
});
const TIMEOUT: Outcome = { kind: 'timeout', phase: 'response', afterMs: 15_000 };
const outcomes = fc.constantFrom(answer(200), answer(404), answer(429), answer(503), TIMEOUT);

test('concurrency stays from 1 to its limit, and only good answers raise it', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(outcomes), (limit, list) => {
      let ramp = newRamp(limit);
      for (const outcome of list) {
        const after = rampAfter(ramp, outcome);
        const isGood = outcome.kind === 'response' && outcome.status === 200;
        assert.ok(after.concurrency >= 1 && after.concurrency <= limit);
        assert.ok(isGood || after.concurrency <= ramp.concurrency);
        ramp = after;
      }
    }),
  );
});

test('good answers alone reach the limit, whatever it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), (limit) => {
      let ramp = newRamp(limit);
      for (let n = 0; n < 2 * limit; n += 1) ramp = rampAfter(ramp, answer(200));
      assert.equal(ramp.concurrency, limit);
    }),
  );
});
