import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../core/testing/attempt.ts';
import type { Outcome } from '../../core/outcome.ts';
import { type Id, newId } from '../../core/id.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
import type { NewDelivery, NextState, Store } from '../port.ts';
import { DELIVERED, event, freshTenant, NOW } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const LATER = NOW + 60_000;
const AGAIN: NextState = { state: 'pending', dueAt: LATER, step: 1 };
const EXHAUSTED: NextState = { state: 'exhausted', reason: 'used up' };
const FAILED: Outcome = { kind: 'timeout', phase: 'response', afterMs: 1 };

/** What a driver must do for registrations that want an order; part of the store's contract. */
export function orderContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  const fresh = (): void => {
    tenant = freshTenant();
  };

  /** One event to each list of keys, all to one registration; the ids of the deliveries. */
  const accept = async (
    keys: readonly (readonly string[] | null)[],
    rest: Partial<NewDelivery> = {},
  ): Promise<Id[]> => {
    const made = keys.map((orderKeys): NewDelivery => {
      const place = { id: newId(NOW), registrationId: 'r', picks: null };
      return { ...place, state: 'pending', leased: false, orderKeys, ...rest };
    });
    const events = made.map((delivery) => event(tenant, [delivery]));
    await store.accept([{ events, idempotency: null }]);
    return made.map(({ id }) => id);
  };

  const claim = async (now = NOW, registrationId = 'r'): Promise<Id[]> => {
    const [claimed] = await store.claim([{ tenant, registrationId, room: 100 }], now);
    return claimed?.deliveries.map(({ id }) => id) ?? [];
  };

  const settle = async (deliveryId: Id | undefined, next: NextState): Promise<void> => {
    const place = { tenant, deliveryId: deliveryId ?? '', ordered: true };
    const attempt = attemptOf({ deliveryId: place.deliveryId, startedAt: NOW, outcome: FAILED });
    await store.settle([{ ...place, next, attempt }]);
  };

  const move = (from: 'pending' | 'held', to: 'pending' | 'held' | 'cancelled', limit = 100) =>
    store.move({ tenant, registrationId: 'r', from, to, reason: null, now: NOW, limit });

  test('of one key only the oldest unfinished delivery is claimed, other keys do not wait', async () => {
    fresh();
    const [a1, a2, b1, free] = await accept([['a'], ['a'], ['b'], null]);
    const [claimed] = await store.claim([{ tenant, registrationId: 'r', room: 100 }], NOW);
    assert.deepEqual(
      new Map(claimed?.deliveries.map(({ id, ordered }) => [id, ordered])),
      new Map([
        [a1, true],
        [b1, true],
        [free, false],
      ]),
    );
    assert.equal(claimed?.nextDueAt, null, 'what is behind is not waited for');
    await settle(a1, AGAIN);
    assert.deepEqual(await claim(), [], 'a retry holds up its key');
    assert.deepEqual(await claim(LATER), [a1]);
    await settle(a1, DELIVERED);
    assert.deepEqual(await claim(), [a2]);
  });

  test('whatever ends a delivery lets the next one go', async () => {
    fresh();
    const [first, second, third, fourth] = await accept([['a'], ['a'], ['a'], ['a']]);
    await claim();
    await settle(first, EXHAUSTED);
    assert.deepEqual(await claim(), [second]);
    assert.equal(await store.cancel(tenant, second ?? '', NOW), true);
    assert.deepEqual(await claim(), [third]);
    assert.equal(await store.cancel(tenant, fourth ?? '', NOW), true);
    await settle(third, DELIVERED);
    assert.deepEqual(await claim(), []);
  });

  test('a delivery of several keys waits for all of them, and all wait for it', async () => {
    fresh();
    const [a1, b1, both, a2, b2] = await accept([['a'], ['b'], ['a', 'b'], ['a'], ['b']]);
    assert.deepEqual(await claim(), [a1, b1]);
    await settle(b1, DELIVERED);
    assert.deepEqual(await claim(), []);
    await settle(a1, DELIVERED);
    assert.deepEqual(await claim(), [both]);
    await settle(both, DELIVERED);
    assert.deepEqual(await claim(), [a2, b2]);
  });

  test('the same key of another registration or tenant is another one', async () => {
    fresh();
    await accept([['a']]);
    const [other] = await accept([['a']], { registrationId: 'other' });
    assert.deepEqual(await claim(NOW, 'other'), [other]);
    fresh();
    const [elsewhere] = await accept([['a']]);
    assert.deepEqual(await claim(), [elsewhere]);
  });

  test('order outlives a start: leases come back, what was behind stays behind', async () => {
    fresh();
    const [first, second] = await accept([['a'], ['a']]);
    await claim();
    const { pending, ordered } = await store.recover(ALL_SHARDS);
    const place = { tenant, registrationId: 'r' };
    assert.deepEqual(
      pending.filter((each) => each.tenant === tenant),
      [{ ...place, nextDueAt: NOW }],
    );
    assert.deepEqual(
      ordered.filter((each) => each.tenant === tenant),
      [place],
    );
    assert.deepEqual(await claim(), [first]);
    await store.release([{ tenant, id: first ?? '' }]);
    assert.deepEqual(await claim(), [first]);
    await settle(first, DELIVERED);
    assert.deepEqual(await claim(), [second]);
  });

  test('held deliveries keep their places, and new ones queue up behind them', async () => {
    fresh();
    const [first, second] = await accept([['a'], ['a']]);
    const [third] = await accept([['a']], { state: 'held' });
    assert.equal(await move('pending', 'held'), 2);
    const [fourth] = await accept([['a']]);
    assert.deepEqual(await claim(), [], 'the first of them is held');
    const { pending } = await store.recover(ALL_SHARDS);
    assert.deepEqual(
      pending.filter((each) => each.tenant === tenant),
      [],
    );
    while ((await move('held', 'pending', 2)) === 2);
    for (const next of [first, second, third, fourth]) {
      assert.deepEqual(await claim(), [next]);
      await settle(next, DELIVERED);
    }
  });

  test('a held delivery that was delivered after all lets the next one go', async () => {
    fresh();
    const [first, second] = await accept([['a'], ['a']]);
    await claim();
    await settle(first, { state: 'held', reason: 'endpoint gone' });
    assert.deepEqual(await claim(), []);
    await settle(first, DELIVERED);
    assert.deepEqual(await claim(), [second]);
  });

  test('held deliveries that are cancelled let newer ones go', async () => {
    fresh();
    await accept([['a'], ['a']], { state: 'held' });
    const [third] = await accept([['a']]);
    assert.equal(await move('held', 'cancelled'), 2);
    assert.deepEqual(await claim(), [third]);
  });

  test('a retry by hand takes its old place: what could be claimed goes behind it', async () => {
    fresh();
    const [first, second, third] = await accept([['a'], ['a'], ['a']]);
    await claim();
    await settle(first, EXHAUSTED);
    assert.equal(await store.retry(tenant, first ?? '', NOW), true);
    assert.deepEqual(await claim(), [first]);
    await settle(first, DELIVERED);
    assert.deepEqual(await claim(), [second]);
    await store.retry(tenant, first ?? '', NOW);
    assert.deepEqual(await claim(), [first], 'what is in a lane is not called back');
    await settle(second, { state: 'pending', dueAt: NOW, step: 1 });
    assert.deepEqual(await claim(), [], 'but it does not come again before its elder');
    await store.retry(tenant, third ?? '', NOW);
    assert.deepEqual(await claim(), [], 'nor is one sent early because a person asks');
    await settle(first, DELIVERED);
    assert.deepEqual(await claim(), [second]);
    await settle(second, DELIVERED);
    assert.deepEqual(await claim(), [third]);
  });

  test('the log says what waits for its turn', async () => {
    fresh();
    const [first, second] = await accept([['a'], ['a']]);
    const rows = await store.deliveries({ tenant, limit: 10 });
    assert.deepEqual(
      rows.map(({ id, state, reason, dueAt }) => [id, state, reason, dueAt]),
      [
        [second, 'pending', 'waits for an earlier delivery', null],
        [first, 'pending', null, NOW],
      ],
    );
  });

  test('an order that is no longer wanted is taken in steps, and everything can be claimed', async () => {
    fresh();
    const made = await accept([['a'], ['a', 'b'], ['b'], ['a']]);
    assert.equal(await store.unorder(tenant, 'r', 1), true);
    const early = await claim();
    while (await store.unorder(tenant, 'r', 1));
    const claimed = [...early, ...(await claim())];
    assert.deepEqual(claimed.toSorted(), made.toSorted());
    const { ordered } = await store.recover(ALL_SHARDS);
    assert.ok(ordered.every((each) => each.tenant !== tenant));
  });

  test('a tenant that goes takes the places of its deliveries with it', async () => {
    fresh();
    await store.insertTenant({ id: tenant, name: 'n', createdAt: NOW, maxPending: null });
    await accept([['a'], ['a']]);
    await store.deleteTenant(tenant);
    const [again] = await accept([['a']]);
    assert.deepEqual(await claim(), [again]);
  });

  test('a long queue of one key goes through it one by one', async () => {
    fresh();
    const keys = Array.from({ length: 5000 }, () => ['a']);
    const made = await accept(keys);
    for (const next of made.slice(0, 20)) {
      assert.deepEqual(await claim(), [next]);
      await settle(next, DELIVERED);
    }
  });
}
