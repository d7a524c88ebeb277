import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../core/testing/attempt.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import type { Id } from '../../core/id.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import type { NewDelivery, PrunedSome, PruneSome, Store } from '../port.ts';
import { DAY_MS, freshTenant, idOf, NOW } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const OLD = NOW - 3 * DAY_MS;
const PATHS: SubjectPaths = {
  done: [{ kind: 'learner', path: 'Email' }],
  seen: [{ kind: 'learner', path: 'Email' }],
};

/** What a driver must do where a tenant or a filter keeps less than the rest; part of the store's contract. */
export function retentionContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  const fresh = (): void => {
    tenant = freshTenant();
  };

  const publish = async (
    at: number,
    actions: readonly string[],
    states: readonly ('ended' | 'pending' | 'held')[] = ['ended'],
  ): Promise<{ event: Id; deliveries: readonly Id[] }> => {
    const event = idOf(at);
    const deliveries = states.map((state): NewDelivery => {
      const place = { id: idOf(at + 1), registrationId: 'r', picks: null, orderKeys: null };
      return { ...place, state: state === 'held' ? 'held' : 'pending', leased: false };
    });
    const texts = actions.map((action) => `{"Action":"${action}","Email":"ana@x.example"}`);
    const payload = texts.join(NOTIFICATION_SEPARATOR);
    const times = { acceptedAt: at, occurredAt: null };
    await store.accept([
      {
        events: [{ id: event, tenant, ...times, payload, actions, deliveries }],
        idempotency: null,
      },
    ]);
    for (const [index, { id }] of deliveries.entries()) {
      if (states[index] !== 'ended') continue;
      const outcome = { kind: 'connect_error', code: 'X' } as const;
      const attempt = attemptOf({ deliveryId: id, startedAt: at + 2, outcome });
      const next = { state: 'delivered', reason: null } as const;
      await store.settle([{ tenant, deliveryId: id, ordered: false, next, attempt }]);
    }
    while ((await store.index(PATHS, 100)) > 0);
    return { event, deliveries: deliveries.map(({ id }) => id) };
  };

  const prune = (action: string | null, rest: Partial<PruneSome> = {}): Promise<PrunedSome> =>
    store.pruneSome({ tenant, action, before: NOW - DAY_MS, limit: 100, ...rest });

  const left = async (query: object = {}): Promise<readonly Id[]> =>
    (await store.events({ tenant, limit: 100, ...query })).map(({ id }) => id);

  test('of one tenant what is old goes, with deliveries, attempts and what it is found by', async () => {
    fresh();
    const other = tenant;
    const theirs = await publish(OLD, ['Done']);
    fresh();
    const old = await publish(OLD, ['Done', 'Seen'], ['ended', 'ended']);
    const young = await publish(NOW, ['Done']);
    const unmatched = await publish(OLD + 5, ['Done'], []);
    assert.deepEqual(await prune(null), { deliveries: 2, next: null });
    assert.deepEqual(await left(), [young.event]);
    for (const id of old.deliveries) assert.equal(await store.delivery(tenant, id), undefined);
    assert.equal(await store.event(tenant, unmatched.event), undefined);
    for (const query of [{ subject: 'ana@x.example' }, { action: 'Done' }])
      assert.deepEqual(await left(query), [young.event]);
    const learner = 'learner ana@x.example';
    const found = await store.learnerEvents({ tenant, learner, limit: 10 });
    assert.deepEqual(
      found.map(({ event }) => event.id),
      [young.event],
    );
    assert.deepEqual(await prune(null), { deliveries: 0, next: null });
    tenant = other;
    assert.deepEqual(await left(), [theirs.event]);
  });

  test('of one action what is old goes, in any case and with all of its event, and others stay', async () => {
    fresh();
    const other = await publish(OLD, ['Seen']);
    await publish(OLD, ['Seen', 'Done']);
    await publish(OLD + 1000, ['Done']);
    const young = await publish(NOW, ['Done']);
    assert.deepEqual(await prune('DONE'), { deliveries: 2, next: null });
    assert.deepEqual(new Set(await left()), new Set([young.event, other.event]));
    assert.deepEqual(await left({ action: 'Done' }), [young.event]);
    assert.deepEqual(await prune('Unknown'), { deliveries: 0, next: null });
  });

  test('what waits stays with its event, and what ended late stays for its time', async () => {
    fresh();
    const waiting = await publish(OLD, ['Done'], ['ended', 'pending', 'held']);
    const late = await publish(OLD + 1000, ['Done']);
    assert.deepEqual(await prune(null, { before: OLD + 500 }), { deliveries: 1, next: null });
    const rows = await store.deliveries({ tenant, eventId: waiting.event, limit: 10 });
    assert.deepEqual(new Set(rows.map(({ state }) => state)), new Set(['pending', 'held']));
    assert.deepEqual(await left(), [late.event, waiting.event]);
  });

  test('it goes in steps, past what has to stay', async () => {
    fresh();
    const stays = await publish(OLD, ['Done'], ['held']);
    for (let count = 1; count <= 5; count += 1) await publish(OLD + count * 1000, ['Done']);
    let steps = 1;
    let { next } = await prune('Done', { limit: 2 });
    while (next !== null) {
      steps += 1;
      ({ next } = await prune('Done', { limit: 2, after: next }));
    }
    assert.ok(steps >= 3, `${steps} steps`);
    assert.deepEqual(await left(), [stays.event]);
  });
}
