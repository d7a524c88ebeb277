import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkManifest, type Had } from './manifest.ts';

const rowsOf = (numbers: readonly number[]): Had[] => numbers.map((n) => [n, `id-${n}`]);
const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);

function manifestOf(numbers: readonly number[]) {
  const lines = rowsOf(numbers).map(([n, id]) => `${n} ${id}\n`);
  const Digest = createHash('sha256').update(lines.join('')).digest('hex');
  return { Count: numbers.length, First: numbers[0] ?? 0, Last: numbers.at(-1) ?? 0, Digest };
}

test('what is missing is what the receiver does not have of the numbers of the day', async () => {
  const lengths = fc.record({ first: fc.integer({ min: 1, max: 50 }), more: fc.nat({ max: 300 }) });
  await fc.assert(
    fc.asyncProperty(
      lengths,
      fc.uniqueArray(fc.nat({ max: 400 })),
      async ({ first, more }, without) => {
        const all = range(first, first + more);
        const lost = new Set(without);
        const had = range(1, first + more + 5).filter((n) => !lost.has(n));
        const missing = all.filter((n) => lost.has(n));
        const check = await checkManifest(manifestOf(all), rowsOf(had));
        const count = all.length - missing.length;
        const complete = missing.length === 0;
        assert.deepEqual(check, { complete, matches: complete, count, missing });
      },
    ),
  );
});

test('a store is asked for the numbers of the manifest only', async () => {
  const asked: number[][] = [];
  const have = async (first: number, last: number): Promise<AsyncIterable<Had>> => {
    asked.push([first, last]);
    await Promise.resolve();
    return (async function* () {
      yield* rowsOf([7, 7, 8, 9]);
    })();
  };
  assert.equal((await checkManifest(manifestOf([7, 8, 9]), have)).complete, true);
  assert.deepEqual(asked, [[7, 9]]);
});

test('another id under a number that is there is no match', async () => {
  const check = await checkManifest(manifestOf([1, 2]), [
    [1, 'id-1'],
    [2, 'other'],
  ]);
  assert.deepEqual(check, { complete: false, matches: false, count: 2, missing: [] });
});

test('numbers that were not kept any more are no reason for alarm', async () => {
  const manifest = manifestOf([2, 4]);
  const all = await checkManifest(manifest, rowsOf([2, 3, 4]));
  assert.deepEqual(all, { complete: true, matches: false, count: 3, missing: [] });
  const listed = await checkManifest(manifest, rowsOf([2, 4]));
  assert.deepEqual(listed, { complete: true, matches: true, count: 2, missing: [3] });
  assert.equal((await checkManifest(manifest, rowsOf([2, 3]))).complete, false);
});

test('only so many missing numbers are listed, and rows out of order are refused', async () => {
  const { missing } = await checkManifest(manifestOf([1, 5000]), [], { limit: 3 });
  assert.deepEqual(missing, [1, 2, 3]);
  const mixed = checkManifest(manifestOf([1, 2]), rowsOf([2, 1]));
  await assert.rejects(mixed, /Number 1 comes after 2/);
});
