import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../core/testing/attempt.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { type Id, newId } from '../../core/id.ts';
import type { Acceptance, NewDelivery, NewEvent, Publication, Store } from '../port.ts';
import { freshTenant } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const NOW = Date.UTC(2026, 8, 1, 9, 30);
const DAY_MS = 86_400_000;

/** What a driver must do for numbers of deliveries; part of the store's contract. */
export function sequenceContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  const fresh = (): void => {
    tenant = freshTenant();
  };

  const event = (
    registrations: readonly string[],
    rest: Partial<NewDelivery> = {},
    payload = '{"Action":"A"}',
  ): NewEvent => ({
    id: newId(NOW),
    tenant,
    acceptedAt: NOW,
    occurredAt: null,
    payload,
    actions: payload.split(NOTIFICATION_SEPARATOR).map(() => 'A'),
    deliveries: registrations.map((registrationId) => ({
      id: newId(NOW),
      registrationId,
      state: 'pending',
      leased: false,
      picks: null,
      orderKeys: null,
      ...rest,
    })),
  });

  const publication = (events: readonly NewEvent[], key: string | null = null): Publication => ({
    events,
    idempotency: key === null ? null : { tenant, key, hash: 'h', answer: 'a', at: NOW },
  });

  const accept = async (...batch: Publication[]): Promise<(readonly number[] | null)[]> =>
    (await store.accept(batch)).map((each: Acceptance) =>
      each.kind === 'accepted' ? each.numbers : null,
    );

  const feed = (after = 0, registrationId: Id = 'r', limit = 100) =>
    store.feed({ tenant, registrationId, after, limit });

  const numbersOf = async (registrationId: Id = 'r') =>
    (await feed(0, registrationId)).map(({ sequence }) => sequence);

  const deliver = async (deliveryId: Id): Promise<void> => {
    const outcome = { kind: 'timeout', phase: 'response', afterMs: 1 } as const;
    const attempt = attemptOf({ deliveryId, startedAt: NOW, outcome });
    const next = { state: 'delivered', reason: null } as const;
    await store.settle([{ tenant, deliveryId, next, ordered: false, attempt }]);
  };

  test('each registration numbers its deliveries in the order of acceptance', async () => {
    fresh();
    const first = await accept(
      publication([event(['r', 'other']), event(['r'])]),
      publication([event(['other', 'r'])]),
    );
    assert.deepEqual(first, [
      [1, 1, 2],
      [2, 3],
    ]);
    assert.deepEqual(await accept(publication([event(['r'], { state: 'held' })])), [[4]]);
    assert.deepEqual(await numbersOf(), [1, 2, 3, 4]);
    assert.deepEqual(await numbersOf('other'), [1, 2]);
    const kept = tenant;
    fresh();
    assert.deepEqual(await accept(publication([event(['r'])])), [[1]], 'of another tenant');
    assert.equal(await store.lastSequence(kept, 'r'), 4);
    assert.equal(await store.lastSequence(tenant, 'unknown'), 0);
  });

  test('what is not accepted takes no number', async () => {
    fresh();
    const one = event(['r']);
    await accept(publication([one], 'key'));
    const repeated = publication([event(['r']), event(['r'])], 'key');
    assert.deepEqual(await accept(repeated, publication([event(['r'])]), repeated), [
      null,
      [2],
      null,
    ]);
    await assert.rejects(accept(publication([event(['r'])]), publication([one])));
    assert.deepEqual(await accept(publication([event(['r'])])), [[3]]);
    assert.deepEqual(await numbersOf(), [1, 2, 3]);
  });

  test('many at once are numbered without gaps or repeats', async () => {
    fresh();
    const batches = Array.from({ length: 12 }, (_, n) =>
      accept(publication([event(['r', `r${n % 3}`]), event(['r'])]), publication([event(['r'])])),
    );
    await Promise.all(batches);
    assert.deepEqual(
      await numbersOf(),
      Array.from({ length: 36 }, (_, n) => n + 1),
    );
    assert.deepEqual(await numbersOf('r1'), [1, 2, 3, 4]);
  });

  test('a number stays with its delivery, wherever that goes', async () => {
    fresh();
    const made = event(['r']);
    const id = made.deliveries[0]?.id ?? '';
    await accept(publication([event(['r'])]), publication([made]));
    const [claimed] = await store.claim([{ tenant, registrationId: 'r', room: 10 }], NOW);
    assert.deepEqual(new Set(claimed?.deliveries.map(({ sequence }) => sequence)), new Set([1, 2]));
    const sequence = async () => (await store.delivery(tenant, id))?.row.sequence;
    await deliver(id);
    assert.equal(await sequence(), 2);
    const listed = await store.deliveries({ tenant, limit: 2 });
    assert.equal(listed.find((row) => row.id === id)?.sequence, 2);
    await store.retry(tenant, id, NOW);
    assert.equal(await sequence(), 2);
    await store.cancel(tenant, id, NOW);
    assert.equal(await sequence(), 2);
    const moves = { tenant, registrationId: 'r', reason: null, now: NOW, limit: 10 } as const;
    await store.move({ ...moves, from: 'pending', to: 'cancelled' });
    assert.deepEqual(await numbersOf(), [1, 2]);
  });

  test('the feed has what ended and what waits, with what each delivery carries', async () => {
    fresh();
    const texts = ['{"Action":"A","n":1e400}', '{ "Action" : "A" }'];
    const both = event(['r'], {}, texts.join(NOTIFICATION_SEPARATOR));
    const picked = event(['r'], { picks: [1] }, texts.join(NOTIFICATION_SEPARATOR));
    await accept(publication([both, picked, event(['r'], { state: 'held' }), event(['r'])]));
    await deliver(both.deliveries[0]?.id ?? '');
    const rows = await feed();
    assert.deepEqual(
      rows.map(({ sequence, state, notifications }) => [sequence, state, notifications]),
      [
        [1, 'delivered', texts],
        [2, 'pending', [texts[1]]],
        [3, 'held', ['{"Action":"A"}']],
        [4, 'pending', ['{"Action":"A"}']],
      ],
    );
    assert.deepEqual([rows[0]?.endedAt, rows[1]?.endedAt], [NOW + 1, null]);
    assert.equal(rows[1]?.eventId, picked.id);
    const numbers = async (...asked: Parameters<typeof feed>) =>
      (await feed(...asked)).map(({ sequence }) => sequence);
    assert.deepEqual(await numbers(1, 'r', 2), [2, 3]);
    assert.deepEqual(await numbers(4), []);
    assert.deepEqual(await numbers(0, 'other'), []);
    assert.deepEqual(
      await store.feed({ tenant: 'x', registrationId: 'r', after: 0, limit: 9 }),
      [],
    );
  });

  test('numbers go on after what had them is gone', async () => {
    fresh();
    const made = event(['r', 'r']);
    await accept(publication([made]));
    for (const { id } of made.deliveries) await deliver(id);
    while ((await store.prune(NOW + DAY_MS, 500)) === 500);
    assert.deepEqual(await feed(), []);
    assert.equal(await store.lastSequence(tenant, 'r'), 2);
    assert.deepEqual(await accept(publication([event(['r'])])), [[3]]);
  });

  test('a new tenant of an old name begins at 1', async () => {
    fresh();
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
    await accept(publication([event(['r'])]));
    await store.deleteTenant(tenant);
    assert.equal(await store.lastSequence(tenant, 'r'), 0);
    assert.deepEqual(await accept(publication([event(['r'])])), [[1]]);
    assert.deepEqual(await numbersOf(), [1]);
  });
}
