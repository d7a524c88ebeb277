import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Id } from '../../core/id.ts';
import { ALL, type Counts, emptyCounts, type StatisticsRow, STEPS } from '../../core/statistics.ts';
import type { Store } from '../port.ts';
import { freshTenant, idOf } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const NOW = Date.UTC(2026, 8, 1, 9, 30);
const MINUTE_MS = STEPS.minute.ms;
const HOUR_MS = STEPS.hour.ms;

/** What a driver must do for statistics; part of the store's contract. */
export function statisticsContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  /** Tests share a store and have tenants of their own. */
  const fresh = async (): Promise<void> => {
    tenant = freshTenant();
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
  };

  const row = (counts: Partial<Counts>, place: Partial<StatisticsRow> = {}): StatisticsRow => ({
    tenant,
    registrationId: ALL,
    action: ALL,
    start: NOW,
    stepMs: MINUTE_MS,
    counts: { ...emptyCounts(), ...counts },
    ...place,
  });

  const read = (place: Partial<StatisticsRow> = {}, from = 0, to = NOW + HOUR_MS) =>
    store.statistics({ tenant, registrationId: ALL, action: ALL, ...place, from, to });

  const wait = async (registrationId: Id, state: 'pending' | 'held', at: number): Promise<Id> => {
    const id = idOf(at);
    const place = { registrationId, state, leased: false, picks: null, orderKeys: null } as const;
    const [payload, actions] = ['{"Action":"A"}', ['A']];
    const event = { id: idOf(at), tenant, acceptedAt: at, occurredAt: null, payload, actions };
    const events = [{ ...event, deliveries: [{ id, ...place }] }];
    await store.accept([{ events, idempotency: null }]);
    return id;
  };

  test('what is added to the same span adds up, each place of its own', async () => {
    await fresh();
    const first = { published: 2, attempts: 3, failed: { timeout: 1 }, latency: [0, 1] };
    await store.addStatistics([row(first), row({ published: 1 }, { action: 'A' })]);
    const second = { published: 5, failed: { timeout: 1, gone: 2 }, latency: [1, 1, 4] };
    await store.addStatistics([row(second), row({ delivered: 7 }, { registrationId: 'r' })]);
    const [all] = await read();
    assert.deepEqual(all, {
      ...row({
        published: 7,
        attempts: 3,
        failed: { timeout: 2, gone: 2 },
        latency: [1, 2, 4],
      }),
    });
    assert.deepEqual(await read({ action: 'A' }), [row({ published: 1 }, { action: 'A' })]);
    const [registration] = await read({ registrationId: 'r' });
    assert.equal(registration?.counts.delivered, 7);
  });

  test('spans are read oldest first, from the first moment on and before the last', async () => {
    await fresh();
    for (const minute of [3, 1, 2, 0])
      await store.addStatistics([row({ published: minute }, { start: NOW + minute * MINUTE_MS })]);
    const found = await read({}, NOW + MINUTE_MS, NOW + 3 * MINUTE_MS);
    assert.deepEqual(
      found.map(({ counts }) => counts.published),
      [1, 2],
    );
  });

  test('two nodes that add at the same moment lose nothing', async () => {
    await fresh();
    const add = () => store.addStatistics([row({ published: 1 }), row({}, { action: 'A' })]);
    await Promise.all(Array.from({ length: 8 }, add));
    const [all] = await read();
    assert.equal(all?.counts.published, 8);
  });

  test('old spans are put into longer ones, some at a time, and the sums stay', async () => {
    await fresh();
    const hour = NOW - (NOW % HOUR_MS) - HOUR_MS;
    const rows = Array.from({ length: 60 }, (_, minute) =>
      row({ published: minute, duration: [0, 1] }, { start: hour + minute * MINUTE_MS }),
    );
    await store.addStatistics([...rows, row({ published: 9 })]);
    const merge = { stepMs: MINUTE_MS, intoMs: HOUR_MS, before: hour + HOUR_MS, limit: 40 };
    const merged = [await store.mergeStatistics(merge), await store.mergeStatistics(merge)];
    assert.deepEqual(merged, [40, 20]);
    assert.equal(await store.mergeStatistics(merge), 0);
    const sum = row({ published: 1770, duration: [0, 60] }, { start: hour, stepMs: HOUR_MS });
    assert.deepEqual(await read(), [sum, row({ published: 9 })]);
    assert.equal(await store.pruneStatistics(HOUR_MS, NOW, 10), 1);
    assert.deepEqual(await read(), [row({ published: 9 })]);
  });

  test('a tenant that is removed takes its statistics along, and nothing is counted for it later', async () => {
    await fresh();
    await store.addStatistics([row({ published: 1 })]);
    assert.equal(await store.deleteTenant(tenant), true);
    await store.addStatistics([row({ published: 1 })]);
    assert.deepEqual(await read(), []);
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
    assert.deepEqual(await read(), [], 'another tenant of this id begins at nothing');
  });

  test('the backlog is of the registrations that are asked for, and as old as its oldest', async () => {
    await fresh();
    const empty = { count: 0, isExact: true };
    assert.deepEqual(await store.backlog(tenant, ['one', 'two']), {
      pending: empty,
      held: empty,
      oldestAt: null,
    });
    await wait('one', 'held', NOW - 5000);
    await wait('two', 'pending', NOW - 3000);
    await wait('two', 'pending', NOW - 1000);
    await wait('other', 'pending', NOW - 9000);
    assert.deepEqual(await store.backlog(tenant, ['one', 'two']), {
      pending: { count: 2, isExact: true },
      held: { count: 1, isExact: true },
      oldestAt: NOW - 3000,
    });
    assert.deepEqual((await store.backlog('elsewhere', ['one', 'two'])).pending, empty);
  });
}
