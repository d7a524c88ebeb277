import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationText, parseDuration } from '../core/duration.ts';
import type { Filter } from '../core/filter.ts';
import { shortRetentions } from './retention.ts';

const DAY_MS = 86_400_000;
const rulesOf = (
  tenants: Readonly<Record<string, number | null>>,
  filters: Readonly<Record<string, number | null>>,
) =>
  shortRetentions(
    {
      tenants: {
        list: () =>
          Object.entries(tenants).map(([id, retentionMs]) => ({
            id,
            name: id,
            createdAt: 0,
            maxPending: null,
            retentionMs,
          })),
      },
      filters: {
        list: () =>
          Object.entries(filters).map(([name, retentionMs]): Filter => {
            const nothing = { schema: null, example: null, subjects: [], private: [] };
            return { name, description: '', ...nothing, retentionMs };
          }),
      },
    },
    30 * DAY_MS,
  ).map(({ tenant, action, retentionMs }) => `${tenant} ${action ?? '*'} ${retentionMs / DAY_MS}`);

test('the shortest retention that applies holds, and what is no shorter than the rest asks for nothing', () => {
  assert.deepEqual(rulesOf({ a: null, b: 40 * DAY_MS }, { Done: null, Seen: 30 * DAY_MS }), []);
  assert.deepEqual(rulesOf({ a: 7 * DAY_MS, b: null }, { Done: DAY_MS, Seen: 10 * DAY_MS }), [
    'a * 7',
    'a Done 1',
    'b Done 1',
    'b Seen 10',
  ]);
});

test('a duration is told in the largest unit that it is a whole number of', () => {
  for (const text of ['500ms', '90s', '5m', '36h', '30d']) {
    const ms = parseDuration(text) ?? 0;
    assert.equal(durationText(ms), text);
  }
  assert.equal(durationText(7 * DAY_MS), '7d');
  assert.equal(durationText(86_400_000 * 1.5), '36h');
});
