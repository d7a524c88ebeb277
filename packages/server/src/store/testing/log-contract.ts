import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewEvent, Settlement, Store } from '../port.ts';
import { DAY_MS, DELIVERED, delivery, event, freshTenant, idOf, NOW, settlement } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver must find in the log, and remove from it. */
export function logContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  const endedAt = (one: Settlement): Settlement => ({
    ...one,
    attempt: { ...one.attempt, startedAt: 2000 },
  });

  const onEmptyStore = async (use: (empty: Store) => Promise<void>): Promise<void> => {
    const empty = await open();
    try {
      await use(empty.store);
    } finally {
      await empty.done();
    }
  };

  test('the log is newest first and pages do not shift when more comes', async () => {
    const tenant = freshTenant();
    const made = Array.from({ length: 6 }, () => event(tenant, [delivery('r1')]));
    await accept(...made);
    const first = await store.deliveries({ tenant, limit: 3 });
    await accept(event(tenant, [delivery('r1')]));
    const second = await store.deliveries({ tenant, limit: 10, before: first[2]?.id ?? '' });
    const ids = [...first, ...second].map(({ id }) => id);
    assert.deepEqual(ids, made.map(({ deliveries }) => deliveries[0]?.id ?? '').toReversed());
  });

  test('the log is searched by registration, state, action in any case, and time', async () => {
    const tenant = freshTenant();
    await accept(event(tenant, [delivery('r1'), delivery('r2', { state: 'held' })]));
    const later = { id: idOf(NOW + DAY_MS), actions: ['Other'] };
    await accept(event(tenant, [delivery('r1', { id: idOf(NOW + DAY_MS) })], later));
    await store.index({}, 1000);
    const count = async (query: object): Promise<number> =>
      (await store.deliveries({ tenant, limit: 10, ...query })).length;
    assert.equal(await count({ registrationId: 'r1' }), 2);
    assert.equal(await count({ state: 'held' }), 1);
    assert.equal(await count({ action: 'other' }), 1);
    assert.equal(await count({ from: NOW + DAY_MS }), 1);
    assert.equal(await count({ to: NOW + DAY_MS }), 2);
    assert.equal((await store.events({ tenant, action: 'OTHER', limit: 10 })).length, 1);
  });

  test('a search by event, registration and state together finds what meets all', async () => {
    const tenant = freshTenant();
    const one = event(tenant, [delivery('r1'), delivery('r2'), delivery('r2', { state: 'held' })]);
    await accept(one, event(tenant, [delivery('r2', { state: 'held' })]));
    const query = {
      tenant,
      eventId: one.id,
      registrationId: 'r2',
      state: 'held',
      limit: 10,
    } as const;
    const found = await store.deliveries(query);
    assert.deepEqual(
      found.map(({ id }) => id),
      [one.deliveries[2]?.id],
    );
    assert.deepEqual(await store.deliveries({ ...query, before: found[0]?.id ?? '' }), []);
  });

  test('retention removes what ended before, and leaves what has not', async () => {
    const tenant = freshTenant();
    const old = { acceptedAt: 1000 };
    const ended = event(tenant, [delivery('r1'), delivery('r1')], old);
    const waiting = event(tenant, [delivery('r1'), delivery('r2', { state: 'held' })], old);
    const unmatched = event(tenant, [], old);
    const young = event(tenant, [delivery('r1')]);
    await onEmptyStore(async (empty) => {
      await empty.accept([{ events: [ended, waiting, unmatched, young], idempotency: null }]);
      const [first = '', second = '', third = ''] = [ended, waiting].flatMap(({ deliveries }) =>
        deliveries.map(({ id }) => id),
      );
      const settled = [first, second, third].map((id) =>
        endedAt(settlement(tenant, id, DELIVERED)),
      );
      await empty.settle(settled);
      assert.equal(await empty.prune(2000, 10), 0, 'nothing ended before');
      while ((await empty.prune(3000, 1)) === 1);
      const events = (await empty.events({ tenant, limit: 10 })).map(({ id }) => id);
      assert.deepEqual(events, [young.id, waiting.id]);
      const left = (await empty.deliveries({ tenant, limit: 10 })).map(({ id }) => id);
      assert.deepEqual(left, [young.deliveries[0]?.id, waiting.deliveries[1]?.id]);
      assert.equal(await empty.delivery(tenant, first), undefined);
    });
  });
}
