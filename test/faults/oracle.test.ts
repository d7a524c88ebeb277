import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Evidence, judge } from './oracle.ts';
import type { Receipt } from './recorder.ts';

const RECEIPT: Receipt = {
  n: 1,
  registration: '/r0',
  id: 'a',
  attempt: 1,
  hash: 'h',
  verified: true,
  status: 200,
};

function verdictOf(receipts: readonly Receipt[], more: Partial<Evidence> = {}) {
  const evidence = { registrations: ['/r0'], duplicatesAllowed: 0, ...more };
  return judge({ receipts, hashes: new Map([[1, 'h']]), ...evidence });
}

test('one receipt that verifies has no problems', () => {
  assert.deepEqual(verdictOf([RECEIPT]), { lost: 0, duplicates: 0, problems: [] });
});

test('what only ever got a 500 is lost', () => {
  assert.equal(verdictOf([{ ...RECEIPT, status: 500 }]).lost, 1);
});

test('what came to one of two registrations is lost to the other', () => {
  const { lost, problems } = verdictOf([RECEIPT], { registrations: ['/r0', '/r1'] });
  assert.equal(lost, 1);
  assert.deepEqual(problems, ['1 acknowledged deliveries did not arrive']);
});

test('a failed attempt and the next are no duplicate, two that were taken are', () => {
  assert.equal(
    verdictOf([
      { ...RECEIPT, status: 500 },
      { ...RECEIPT, attempt: 2 },
    ]).duplicates,
    0,
  );
  const twice = [RECEIPT, { ...RECEIPT, attempt: 2 }];
  assert.deepEqual(verdictOf(twice).problems, ['1 duplicates, at most 0 may be']);
  assert.deepEqual(verdictOf(twice, { duplicatesAllowed: 1 }).problems, []);
});

test('other bytes, a second id, a bad signature and a number that shrinks are named', () => {
  const second = { ...RECEIPT, attempt: 2 };
  const cases: [Receipt[], RegExp][] = [
    [[{ ...RECEIPT, hash: 'x' }], /bytes of 1 \/r0 changed/],
    [[RECEIPT, { ...second, id: 'b' }], /two ids/],
    [[{ ...RECEIPT, verified: false }], /does not verify/],
    [[second, RECEIPT], /do not grow: 2,1/],
  ];
  for (const [receipts, pattern] of cases)
    assert.match(verdictOf(receipts, { duplicatesAllowed: 9 }).problems.join(), pattern);
});
