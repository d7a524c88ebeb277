import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_ORDER_KEYS, orderKeys } from './ordering.ts';

test('a delivery without ordering or without subjects has no keys, and subjects are not asked for in vain', () => {
  const mustNotAsk = (): string[] => assert.fail('asked for subjects');
  assert.equal(orderKeys(undefined, mustNotAsk), null);
  assert.equal(
    orderKeys('subject', () => []),
    null,
  );
  assert.deepEqual(orderKeys('strict', mustNotAsk), ['']);
});

test('subjects are keys once each, up to the limit', () => {
  assert.deepEqual(
    orderKeys('subject', () => ['learner 1', 'course 1', 'learner 1']),
    ['learner 1', 'course 1'],
  );
  const many = Array.from({ length: MAX_ORDER_KEYS + 5 }, (_, n) => `learner ${n}`);
  assert.deepEqual(
    orderKeys('subject', () => many),
    many.slice(0, MAX_ORDER_KEYS),
  );
});
