import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addHistogram, type Histogram, observe, percentile } from './histogram.ts';

const milliseconds = fc.array(fc.integer({ min: 0, max: 90 * 86_400_000 }), { minLength: 1 });

function of(values: readonly number[]): Histogram {
  const histogram: Histogram = [];
  for (const value of values) observe(histogram, value);
  return histogram;
}

test('a percentile is right to within ten per cent, or half a millisecond', () => {
  fc.assert(
    fc.property(milliseconds, fc.constantFrom(0.5, 0.9, 0.99, 1), (values, share) => {
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(values.length * share) - 1)] ?? 0;
      const told = percentile(of(values), share) ?? Number.NaN;
      assert.ok(Math.abs(told - exact) <= exact * 0.1 + 0.5, `${told} for ${exact}`);
    }),
  );
});

test('histograms of parts add up to that of the whole', () => {
  fc.assert(
    fc.property(milliseconds, milliseconds, (one, other) => {
      const sum = of(one);
      addHistogram(sum, of(other));
      assert.deepEqual(sum, of([...one, ...other]));
    }),
  );
});

test('there is no percentile of nothing, and no time below none', () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile(of([-5, Number.NaN]), 0.5), 0);
});
