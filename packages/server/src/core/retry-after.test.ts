import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseRetryAfter } from './retry-after.ts';

const NOW = Date.UTC(2026, 8, 1, 12);

test('dates that no calendar has are passed over', () => {
  for (const text of [
    'Sun, 99 Sep 2026 12:00:30 GMT',
    'Tue, 01 Sep 2026 25:00:30 GMT',
    'Tue, 01 Sep 2026 12:61:30 GMT',
    'Tue, 01 Sep 2026 12:00:99 GMT',
    'Tue, 01 Sep 0099 12:00:30 GMT',
    'Tue, 01 Sep 2026 12:00:30 CET',
    '120, 300',
  ]) {
    assert.equal(parseRetryAfter(text, NOW), null, text);
  }
});

test('whatever a receiver writes is a wait from now on or nothing', () => {
  const parts = fc.constantFrom('Tue', ', ', '01', ' ', 'Sep', '2026', ':', '12', 'GMT', '-', '9');
  const texts = fc.oneof(
    fc.string(),
    fc.array(parts).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const wait = parseRetryAfter(text, NOW);
      assert.ok(wait === null || (Number.isSafeInteger(wait) && wait >= 0), `${wait}`);
    }),
    { numRuns: 500 },
  );
});

test('every second of the next year can be written as a date', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 365 * 86_400 }), (seconds) => {
      const date = new Date(NOW + seconds * 1000).toUTCString();
      assert.equal(parseRetryAfter(date, NOW), seconds * 1000, date);
    }),
  );
});
