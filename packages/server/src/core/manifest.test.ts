import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { dayOf, ManifestSum, startOfDay } from './manifest.ts';

const DAY = dayOf(Date.parse('2026-09-01T23:59:59.999Z'));

function sumOf(rows: readonly (readonly [number, string])[]) {
  const sum = new ManifestSum();
  for (const [sequence, id] of rows) sum.add(sequence, id);
  return sum.of(DAY);
}

test('the digest is of the lines that the documentation shows', () => {
  assert.deepEqual(
    sumOf([
      [7, '01997c2000007b0e9d3f2a6b8c4d5e70'],
      [8, '01997c2000007b0e9d3f2a6b8c4d5e71'],
    ]),
    {
      day: '2026-09-01',
      count: 2,
      first: 7,
      last: 8,
      // printf '7 01997c2000007b0e9d3f2a6b8c4d5e70\n8 01997c2000007b0e9d3f2a6b8c4d5e71\n' | sha256sum
      digest: 'dedd61e3cd825f9c6ab2eed9590ab42622ca714a2497dec9d8914e9e86b38db9',
    },
  );
});

test('a manifest tells of any rows how many, from where to where, and their digest', () => {
  const id = fc.uuid().map((text) => text.replaceAll('-', ''));
  const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(numbers, fc.infiniteStream(id), (unsorted, ids) => {
      const rows = unsorted
        .toSorted((a, b) => a - b)
        .map((n) => [n, String(ids.next().value)] as const);
      const lines = rows.map(([n, text]) => `${n} ${text}\n`).join('');
      const { count, first, last, digest } = sumOf(rows);
      assert.deepEqual([count, first, last], [rows.length, rows[0]?.[0], rows.at(-1)?.[0]]);
      assert.equal(digest, createHash('sha256').update(lines).digest('hex'));
      if (rows.length > 1) assert.notEqual(digest, sumOf(rows.slice(1)).digest);
    }),
  );
});

test('days begin at midnight UTC', () => {
  assert.equal(dayOf(startOfDay(DAY)), DAY);
  assert.equal(dayOf(startOfDay(DAY) - 1), DAY - 1);
});
