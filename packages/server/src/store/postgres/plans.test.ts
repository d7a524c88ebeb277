import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Id } from '../../core/id.ts';
import type { NewEvent, Store } from '../port.ts';
import { endedAt, fresh, joined, madeAt, rows, settlementOf } from './testing/stores.ts';

test('the planner takes a tenant for everything that waits, and a registration for much of it, also while nothing does', async () => {
  const url = await fresh();
  const store = await joined(url);
  const known = `
    select attname, n_distinct
      from pg_stats
     where tablename = 'deliveries'
       and attname in ('tenant', 'registration_id')
     order by attname`;
  const told = [
    { attname: 'registration_id', n_distinct: 10 },
    { attname: 'tenant', n_distinct: 1 },
  ];
  assert.deepEqual(await rows(url, known), told);
  await rows(url, 'vacuum (analyze) deliveries');
  assert.deepEqual(await rows(url, known), told);
  await store.close();
});

/** So many deliveries that wait, of two lanes. */
async function backlog(store: Store, count: number, now: number): Promise<NewEvent[]> {
  const events = Array.from({ length: count }, (_, n) => {
    const made = madeAt(now);
    const registrationId = n % 2 === 0 ? 'r' : 's';
    const deliveries = made.deliveries.map((each) => ({ ...each, registrationId, leased: false }));
    return { ...made, deliveries };
  });
  await store.accept([{ events, idempotency: null }]);
  return events;
}

const LOOK = 'vacuum (analyze) deliveries';

/** Many rows were there, of which few are left: PostgreSQL expects as few in the same pages next time. */
async function emptied(store: Store, url: string, now: number): Promise<void> {
  const events = await backlog(store, 2000, now - 1000);
  const [last, ...others] = events.toReversed();
  assert.ok(last !== undefined);
  await store.settle(others.map((event) => endedAt(event, now)));
  await rows(url, LOOK);
  await store.settle([endedAt(last, now)]);
}

/** How many entries of each index of the table are read meanwhile; what a store has done is counted when it is closed. */
async function readOf(
  url: string,
  work: (store: Store) => Promise<void>,
): Promise<Record<string, number>> {
  const count = `
    select indexrelname as name, idx_tup_read::int as read
      from pg_stat_user_indexes
     where relname = 'deliveries'`;
  const before = new Map((await rows(url, count)).map(({ name, read }) => [name, Number(read)]));
  const store = await joined(url);
  await work(store);
  await store.close();
  const read = (await rows(url, count)).map(
    ({ name, read }) => [String(name), Number(read) - (before.get(name) ?? 0)] as const,
  );
  return Object.fromEntries(read.filter(([, entries]) => entries > 0));
}

const LANES = ['r', 's'].map((registrationId) => ({ tenant: 't', registrationId, room: 10 }));

/** The ids of ten of each lane, which come in their order. */
async function claimed(store: Store, now: number): Promise<Id[]> {
  const claims = await store.claim(LANES, now);
  return claims.flatMap(({ deliveries }) => {
    const ids = deliveries.map(({ id }) => id);
    assert.equal(ids.length, 10);
    assert.deepEqual(ids, ids.toSorted());
    return ids;
  });
}

const RETRY = { state: 'pending', step: 1, dueAt: 0 } as const;
const HELD = { state: 'held', reason: 'x' } as const;

for (const [when, before, after] of [
  ['before anything is known of it', undefined, []],
  ['while it is taken for empty', emptied, []],
  ['while it is known', undefined, [LOOK]],
] as const) {
  test(`of a backlog nothing is read but what is claimed, settled or moved, ${when}`, async () => {
    const url = await fresh();
    const first = await joined(url);
    const now = Date.now();
    await before?.(first, url, now);
    await backlog(first, 2000, now);
    for (const sql of after) await rows(url, sql);
    await first.close();
    const read = await readOf(url, async (store) => {
      const ids = await claimed(store, now);
      const [one = '', other = '', ...others] = ids;
      await store.release([{ tenant: 't', id: one }]);
      const results = others.map((id) => settlementOf(id, now));
      const settled = [
        { ...settlementOf(one, now), next: RETRY },
        { ...settlementOf(other, now), next: HELD },
        ...results,
      ];
      assert.ok((await store.settle(settled)).every(Boolean));
      // Once more is late: of what ended, and of what is held.
      assert.ok((await store.settle([settlementOf(other, now), ...results])).every(Boolean));
      const moved = { tenant: 't', registrationId: 'r', reason: 'x', now, limit: 5 } as const;
      assert.equal(await store.move({ ...moved, from: 'pending', to: 'held' }), 5);
      assert.equal(await store.move({ ...moved, from: 'held', to: 'pending' }), 5);
      assert.equal(await store.move({ ...moved, from: 'pending', to: 'cancelled' }), 5);
    });
    const taken = ['deliveries_held', 'deliveries_pending', 'deliveries_pkey'];
    assert.deepEqual(Object.keys(read).toSorted(), taken);
    for (const [name, entries] of Object.entries(read))
      assert.ok(entries < 200, `${entries} of ${name}`);
  });
}

test('the newest are found at once among many that the database has not counted yet', async () => {
  const url = await fresh();
  const store = await joined(url);
  const made = Array.from({ length: 10_000 }, () => madeAt(Date.now()));
  for (let at = 0; at < made.length; at += 1000) {
    const events = made.slice(at, at + 1000);
    await store.accept([{ events, idempotency: null }]);
    await store.settle(events.map((event) => endedAt(event, Date.now())));
  }
  const from = performance.now();
  assert.equal((await store.deliveries({ tenant: 't', limit: 50 })).length, 50);
  const query = { tenant: 't', state: 'delivered', registrationId: 'r', limit: 50 } as const;
  assert.equal((await store.events(query)).length, 50);
  assert.ok(performance.now() - from < 500, `${performance.now() - from} ms`);
  await store.close();
});

test('a lane gets its next deliveries at once from many that the database has not counted yet', async () => {
  const store = await joined(await fresh());
  for (let at = 0; at < 10_000; at += 1000) {
    const events = Array.from({ length: 1000 }, () => madeAt(Date.now()));
    const waiting = events.map((event) => ({
      ...event,
      deliveries: event.deliveries.map((delivery) => ({ ...delivery, leased: false })),
    }));
    await store.accept([{ events: waiting, idempotency: null }]);
  }
  const from = performance.now();
  const lane = { tenant: 't', registrationId: 'r', room: 500 };
  const [claimed] = await store.claim([lane], Date.now());
  assert.equal(claimed?.deliveries.length, 500);
  assert.ok(performance.now() - from < 500, `${performance.now() - from} ms`);
  await store.close();
});

test('two thousand results are written down in a moment', async () => {
  const store = await joined(await fresh());
  const events = Array.from({ length: 2000 }, () => madeAt(Date.now()));
  await store.accept([{ events, idempotency: null }]);
  const from = performance.now();
  const moved = await store.settle(events.map((event) => endedAt(event, Date.now())));
  assert.ok(performance.now() - from < 1500, `${performance.now() - from} ms`);
  assert.ok(moved.every(Boolean));
  await store.close();
});
