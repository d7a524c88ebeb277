import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../port.ts';
import { delivery, event, NOW } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver tells of what waits, and of keys that were used. */
export function waitingContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const counted = async () =>
    (await store.unfinished()).toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1));

  test('what waits is counted by tenant and state, what has ended is not', async () => {
    assert.deepEqual(await counted(), []);
    const ends = delivery('r1');
    const events = [
      event('a', [ends, delivery('r2'), delivery('r3', { state: 'held' })]),
      event('a', [delivery('r2')]),
      event('b', [delivery('r1', { state: 'held' })]),
      event('b-2', [delivery('r1')]),
      event('c', []),
    ];
    await store.accept([{ events, idempotency: null }]);
    assert.deepEqual(await counted(), [
      { tenant: 'a', pending: 3, held: 1 },
      { tenant: 'b', pending: 0, held: 1 },
      { tenant: 'b-2', pending: 1, held: 0 },
    ]);
    await store.cancel('a', ends.id, NOW);
    const move = { registrationId: 'r2', from: 'pending', to: 'held', reason: 'x' } as const;
    await store.move({ tenant: 'a', ...move, now: NOW, limit: 1 });
    assert.deepEqual((await counted())[0], { tenant: 'a', pending: 1, held: 2 });
  });

  test('thousands of tenants are all counted', async () => {
    const tenants = Array.from({ length: 3000 }, (_, n) => `many${n}`);
    const events = tenants.map((tenant) => event(tenant, [delivery('r')]));
    await store.accept([{ events, idempotency: null }]);
    const found = (await store.unfinished()).filter(({ tenant }) => tenant.startsWith('many'));
    assert.deepEqual(new Set(found.map(({ tenant }) => tenant)), new Set(tenants));
    assert.ok(found.every(({ pending, held }) => pending === 1 && held === 0));
  });

  test('a key that was used tells what came of it, in its own tenant, and another one nothing', async () => {
    const idempotency = { tenant: 'a', key: 'k\u0000ø', hash: 'h', answer: 'said', at: NOW };
    const { tenant, key, hash } = idempotency;
    assert.equal(await store.earlier({ tenant, key, hash }), undefined);
    await store.accept([{ events: [], idempotency }]);
    assert.deepEqual(await store.earlier({ tenant, key, hash }), {
      kind: 'repeated',
      answer: 'said',
    });
    assert.deepEqual(await store.earlier({ tenant, key, hash: 'other' }), { kind: 'conflict' });
    assert.equal(await store.earlier({ tenant: 'b', key, hash }), undefined);
    assert.equal(await store.earlier({ tenant, key: 'K', hash }), undefined);
  });
}
