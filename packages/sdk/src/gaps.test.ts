import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FeedItem, readFeed } from './feed.ts';
import { GapDetector } from './gaps.ts';

test('what is missing is what has not come below what has, in whatever order it came', () => {
  const numbers = fc.array(fc.integer({ min: 1, max: 60 }));
  fc.assert(
    fc.property(numbers, fc.nat({ max: 10 }), (sequences, start) => {
      const gaps = new GapDetector(start);
      const seen = new Set<number>();
      for (const sequence of sequences) {
        const isNew = sequence > start && !seen.has(sequence);
        assert.equal(gaps.note(sequence), isNew);
        seen.add(sequence);
      }
      const last = Math.max(start, ...sequences);
      const missing = Array.from({ length: last }, (_, n) => n + 1).filter(
        (n) => n > start && !seen.has(n),
      );
      assert.equal(gaps.last, last);
      assert.deepEqual(gaps.missing(), missing);
      const again = new GapDetector(JSON.parse(JSON.stringify(gaps.state)) as typeof gaps.state);
      assert.deepEqual([again.missing(), again.last], [missing, last]);
    }),
  );
});

test('what is no number of a delivery is not noted', () => {
  const gaps = new GapDetector();
  for (const wrong of [0, -1, 1.5, Number.NaN, Infinity]) assert.equal(gaps.note(wrong), false);
  assert.deepEqual([gaps.last, gaps.missing()], [0, []]);
});

test('no more is remembered than fits, and the error says what to do', () => {
  const gaps = new GapDetector();
  for (let n = 2; n <= 100_001; n += 1) gaps.note(n);
  assert.throws(() => gaps.note(100_002), /after number 1, which has not\. Read the feed/);
  assert.deepEqual(gaps.missing(), [1]);
  assert.equal(gaps.note(1), true);
  assert.equal(gaps.state.complete, 100_001);
});

test('the feed is read on until it is empty', async () => {
  const items = Array.from({ length: 5 }, (_, n) => ({ Sequence: n + 3 }) as FeedItem);
  const asked: number[] = [];
  const read = (after: number) => {
    asked.push(after);
    const Items = items.filter(({ Sequence }) => Sequence > after).slice(0, 2);
    return Promise.resolve({ Items, Last: 7 });
  };
  const found: number[] = [];
  for await (const { Sequence } of readFeed(read, 3)) found.push(Sequence);
  assert.deepEqual(found, [4, 5, 6, 7]);
  assert.deepEqual(asked, [3, 5, 7]);
});
