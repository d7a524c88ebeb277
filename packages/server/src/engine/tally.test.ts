import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../core/testing/attempt.ts';
import { newId } from '../core/id.ts';
import type { Outcome } from '../core/outcome.ts';
import { ALL, mergeRows, type StatisticsRow } from '../core/statistics.ts';
import type { NextState } from '../store/port.ts';
import { Tally } from './tally.ts';

const NOW = Date.UTC(2026, 8, 1, 9, 30);
const ONE = { tenant: 't', id: 'one' };
const TWO = { tenant: 't', id: 'two' };
const FAILED: Outcome = { kind: 'timeout', phase: 'response', afterMs: 1 };
const OK: Outcome = {
  kind: 'response',
  status: 204,
  response: { headers: [], body: '', truncated: false },
};
const DELIVERED: NextState = { state: 'delivered', reason: null };

function open() {
  const kept: StatisticsRow[] = [];
  const errors: unknown[] = [];
  const told: string[] = [];
  let broken: Error | undefined;
  const tally = new Tally({
    store: {
      addStatistics: async (rows) => {
        if (broken !== undefined) throw broken;
        kept.push(...structuredClone(rows));
      },
    },
    filterOf: (action) => (/^[ab]$/i.test(action) ? action.toUpperCase() : undefined),
    onError: (error) => errors.push(error),
    onMatched: () => told.push('matched'),
    onEnded: (state) => told.push(state),
  });
  const find = (registrationId: string, action: string, start = NOW) => {
    const place = { registrationId, action, start };
    const rows = kept.filter((row) =>
      Object.entries(place).every(([k, v]) => row[k as 'start'] === v),
    );
    return mergeRows(rows)[0]?.counts;
  };
  const attempt = (outcome: Outcome, next: NextState, moved = true, at = NOW): void => {
    const id = newId(NOW - 1000);
    const place = { tenant: 't', eventId: id, registrationId: ONE.id, notifications: [] };
    const delivery = {
      ...place,
      id,
      actions: ['A'],
      attempts: 0,
      step: 0,
      ordered: false,
      sequence: null,
    };
    const made = attemptOf({ deliveryId: id, startedAt: at - 20, durationMs: 20, outcome });
    const settlement = { tenant: 't', deliveryId: id, next, ordered: false, attempt: made };
    tally.settled(ONE, delivery, settlement, moved);
  };
  return {
    tally,
    kept,
    errors,
    told,
    find,
    attempt,
    breakStore: (error?: Error) => (broken = error),
  };
}

test('an event of several actions counts once, and once for each of its filters', async () => {
  const { tally, find } = open();
  tally.published('t', NOW, ['a', 'B', 'a']);
  tally.published('t', NOW, ['A']);
  for (const registration of [ONE, TWO]) tally.matched(registration, NOW, ['B', 'a']);
  tally.matched(ONE, NOW, ['A']);
  await tally.flush();
  const told = (registrationId: string, action: string) => {
    const counts = find(registrationId, action);
    return [counts?.published, counts?.deliveries];
  };
  assert.deepEqual(told(ALL, ALL), [2, 3]);
  assert.deepEqual(told(ALL, 'A'), [2, 3]);
  assert.deepEqual(told(ALL, 'B'), [1, 2]);
  assert.deepEqual(told('one', ALL), [2, 2]);
  assert.deepEqual(told('one', 'A'), [2, 2]);
  assert.deepEqual(told('two', 'B'), [1, 1]);
});

test('an attempt counts by its outcome, and its delivery by where it went', async () => {
  const { tally, told, find, attempt } = open();
  attempt(FAILED, { state: 'pending', dueAt: NOW, step: 1 });
  attempt(FAILED, { state: 'exhausted', reason: 'used up' });
  attempt(OK, DELIVERED);
  attempt(OK, DELIVERED, false);
  assert.deepEqual(told, ['exhausted', 'delivered']);
  await tally.flush();
  for (const counts of [find(ALL, ALL), find('one', 'A')]) {
    assert.deepEqual(counts?.failed, { timeout: 2 });
    assert.deepEqual([counts?.attempts, counts?.delivered, counts?.exhausted], [4, 1, 1]);
    assert.equal(
      counts?.latency.reduce((sum, count) => sum + count),
      1,
    );
    assert.equal(
      counts?.duration.reduce((sum, count) => sum + count),
      4,
    );
  }
});

test('what happens in another minute is counted there, late or not', async () => {
  const { tally, find, attempt } = open();
  attempt(OK, DELIVERED);
  attempt(OK, DELIVERED, true, NOW + 60_000);
  attempt(OK, DELIVERED, true, NOW + 59_999);
  await tally.flush();
  assert.equal(find(ALL, ALL)?.attempts, 2);
  assert.equal(find(ALL, ALL, NOW + 60_000)?.attempts, 1);
});

test('what could not be written is written later, together with what came meanwhile', async () => {
  const { tally, kept, errors, find, breakStore } = open();
  tally.published('t', NOW, ['A']);
  breakStore(new Error('down'));
  await tally.flush();
  assert.deepEqual([kept.length, errors.length], [0, 1]);
  tally.published('t', NOW, ['A']);
  breakStore();
  await tally.stop();
  assert.equal(find(ALL, ALL)?.published, 2);
  assert.equal(find(ALL, 'A')?.published, 2);
  assert.equal(kept.length, 2, 'one row each');
});

test('actions that nobody knows are counted together, however many', async () => {
  const { tally, kept, find } = open();
  for (let n = 0; n < 30_000; n += 1) tally.published('t', NOW, [`made up ${n}`]);
  await tally.flush();
  assert.equal(find(ALL, ALL)?.published, 30_000);
  assert.ok(kept.every(({ action }) => action === ALL));
});
