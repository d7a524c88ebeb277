import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Evidence, judge, type LogRow } from './oracle.ts';
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

const ROW: LogRow = { Id: 'a', EventId: 'e', registration: '/r0', State: 'delivered', Attempts: 1 };

/** Of receipts that the log knows, unless `more` says otherwise. */
function verdictOf(receipts: readonly Receipt[], more: Partial<Evidence> = {}) {
  const log = receipts.map(({ id, registration }) => ({
    ...ROW,
    Id: id,
    registration,
    Attempts: 9,
  }));
  return judge({
    receipts,
    acknowledged: new Map([[1, 'h']]),
    unknown: new Map(),
    registrations: ['/r0'],
    log,
    inFlightAtKills: 0,
    inFlightAtFreezes: 0,
    ...more,
  });
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

test('what nobody was told of may come to all or none, not to some', () => {
  const registrations = ['/r0', '/r1'];
  const unheard = { acknowledged: new Map(), unknown: new Map([[1, 'h']]), registrations };
  const other = { ...RECEIPT, id: 'b', registration: '/r1' };
  assert.deepEqual(verdictOf([], unheard).problems, []);
  assert.deepEqual(verdictOf([RECEIPT], unheard).problems, [
    '1, of which nobody was told, reached 1 of 2',
  ]);
  const log = [ROW, { ...ROW, Id: 'b', registration: '/r1' }];
  assert.deepEqual(verdictOf([RECEIPT, other], { ...unheard, log }).problems, []);
});

test('a failed attempt and the next are no duplicate, two that were taken are', () => {
  const second = { ...RECEIPT, attempt: 2 };
  assert.equal(verdictOf([{ ...RECEIPT, status: 500 }, second]).duplicates, 0);
  assert.deepEqual(verdictOf([RECEIPT, second]).problems, ['1 duplicates, at most 0 may be']);
  assert.deepEqual(verdictOf([RECEIPT, second], { inFlightAtKills: 1 }).problems, []);
});

test('other bytes, a second id, a bad signature, a number that shrinks and a stranger are named', () => {
  const second = { ...RECEIPT, attempt: 2 };
  const cases: [Receipt[], RegExp][] = [
    [[{ ...RECEIPT, hash: 'x' }], /bytes of 1 \/r0 changed/],
    [[RECEIPT, { ...second, id: 'b' }], /two ids/],
    [[{ ...RECEIPT, verified: false }], /does not verify/],
    [[second, RECEIPT], /do not grow: 2,1/],
    [[{ ...RECEIPT, n: 7 }], /7 \/r0 was never published/],
    [[{ ...RECEIPT, registration: '/paused' }], /came to \/paused, which is to get nothing/],
  ];
  for (const [receipts, pattern] of cases)
    assert.match(verdictOf(receipts, { inFlightAtKills: 9 }).problems.join(), pattern);
});

test('the same attempt twice is what a kill may cause, and nothing else', () => {
  const again = [RECEIPT, { ...RECEIPT, status: 500 }];
  assert.deepEqual(verdictOf(again, { inFlightAtKills: 1 }).problems, []);
  assert.match(verdictOf(again).problems.join(), /do not grow: 1,1/);
});

test('a log that lacks a delivery, an attempt or an end, or has an event twice, is named', () => {
  const cases: [LogRow[], RegExp][] = [
    [[], /the log does not know a, which came/],
    [[{ ...ROW, State: 'pending' }], /1 deliveries are in no end state/],
    [[{ ...ROW, Attempts: 0 }], /1 attempts are not in the log, at most 0/],
  ];
  for (const [log, pattern] of cases)
    assert.match(verdictOf([RECEIPT], { log }).problems.join(), pattern);
  const other = { ...RECEIPT, id: 'b', registration: '/r1' };
  const log = [ROW, { ...ROW, Id: 'b', EventId: 'f', registration: '/r1' }];
  const registrations = ['/r0', '/r1'];
  assert.match(
    verdictOf([RECEIPT, other], { log, registrations }).problems.join(),
    /1 became 2 events/,
  );
});

test('a number may go back where a node stood still and went on, for no more than it had in flight', () => {
  const first = [{ ...RECEIPT, status: 500 }, { ...RECEIPT, attempt: 2 }, RECEIPT];
  const frozen = { inFlightAtKills: 2, inFlightAtFreezes: 1 };
  assert.deepEqual(verdictOf(first, frozen).problems, []);
  assert.match(verdictOf(first, { inFlightAtKills: 2 }).problems.join(), /do not grow: 1,2,1/);
  const second = first.map((receipt) => ({ ...receipt, registration: '/r1', id: 'b' }));
  const two = { ...frozen, registrations: ['/r0', '/r1'] };
  assert.match(verdictOf([...first, ...second], two).problems.join(), /1 \/r1 do not grow/);
});
