import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Warning } from '../core/warning.ts';
import { Lookout } from './lookout.ts';

const NOW = Date.parse('2026-09-01T08:00:00Z');
const DAY_MS = 86_400_000;

function lookout(waiting: () => number, expiresAt: number | null = null) {
  const told: Warning[] = [];
  const key = { tenant: 't', id: 'k', level: 'Publish', name: 'Sync', createdAt: 0, expiresAt };
  const looking = new Lookout({
    tenants: { list: () => [{ id: 't', name: 't', createdAt: 0, maxPending: null }] },
    keys: { list: () => [{ ...key, level: 'Publish' as const, hash: '' }] },
    waiting,
    clock: { now: () => NOW },
    warn: (warning) => told.push(warning),
  });
  return { looking, told };
}

/** What is told when so much waits at each look, one every ten minutes. */
function toldOf(waiting: readonly number[]): readonly object[] {
  let at = 0;
  const { looking, told } = lookout(() => waiting[at] ?? 0);
  for (at = 0; at < waiting.length; at += 1) looking.look();
  return told.map(({ facts }) => facts);
}

test('a backlog that has doubled within an hour is told of', () => {
  const growing = [1000, 1100, 1300, 1500, 1700, 1900, 2000];
  assert.deepEqual(toldOf(growing), [{ Waiting: 2000, WaitingAnHourAgo: 1000 }]);
});

test('a small backlog, one that is large all the time, and one that shrinks are not', () => {
  assert.deepEqual(toldOf([1, 2, 4, 8, 16, 32, 64, 999]), []);
  assert.deepEqual(toldOf([5000, 5100, 5000, 5200, 5100, 5000, 5300, 5200]), []);
  assert.deepEqual(toldOf([9000, 8000, 7000, 6000, 5000, 4000, 3000, 2000]), []);
});

test('a key is told of in the week before it expires, not earlier and not later', () => {
  const toldAt = (expiresAt: number | null): number => {
    const { looking, told } = lookout(() => 0, expiresAt);
    looking.look();
    return told.length;
  };
  assert.equal(toldAt(null), 0);
  assert.equal(toldAt(NOW + 7 * DAY_MS + 1), 0);
  assert.equal(toldAt(NOW + 7 * DAY_MS), 1);
  assert.equal(toldAt(NOW + 1), 1);
  assert.equal(toldAt(NOW), 0);
});
