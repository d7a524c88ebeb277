import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Id, newId } from '../../core/id.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
import { ATTEMPTS_SHOWN, type NewEvent, type Store } from '../port.ts';
import { DAY_MS, DELIVERED, NOW, OK, delivery, event, freshTenant, settlement } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver must do with events and deliveries, from acceptance to their end. */
export function deliveryContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  const claimAll = async (tenant: string, registrationId: Id, now = NOW, room = 100) => {
    const [claim] = await store.claim([{ tenant, registrationId, room }], now);
    assert.ok(claim !== undefined);
    return claim;
  };

  test('an event is kept with its deliveries, its payload character for character', async () => {
    const tenant = freshTenant();
    const payload = '{ "Action" : "A", "n": 12345678901234567890, "s": "\\u0000\\ud800 ø 😀" }';
    const made = event(tenant, [delivery('r1')], { payload, occurredAt: NOW - DAY_MS });
    await accept(made);
    const found = await store.event(tenant, made.id);
    assert.deepEqual(found?.notifications, [payload]);
    assert.equal(found?.occurredAt, NOW - DAY_MS);
    const [row] = await store.deliveries({ tenant, limit: 10 });
    assert.equal(row?.id, made.deliveries[0]?.id);
    assert.equal(row?.state, 'pending');
    assert.deepEqual(row?.actions, ['A']);
  });

  test('a delivery carries only the notifications it picked', async () => {
    const tenant = freshTenant();
    const payload = ['{"Action":"A"}', '{"Action":"B"}', '{"Action":"C"}'].join('\u001e');
    const made = event(tenant, [delivery('r1', { picks: [0, 2] })], {
      payload,
      actions: ['A', 'B', 'C'],
    });
    await accept(made);
    const { deliveries } = await claimAll(tenant, 'r1');
    assert.deepEqual(deliveries[0]?.notifications, ['{"Action":"A"}', '{"Action":"C"}']);
    const [row] = await store.deliveries({ tenant, limit: 1 });
    assert.deepEqual(
      [row?.actions, row?.picks],
      [
        ['A', 'C'],
        [0, 2],
      ],
    );
  });

  test('what is due is claimed once, oldest due first, up to the room', async () => {
    const tenant = freshTenant();
    const made = Array.from({ length: 5 }, () => event(tenant, [delivery('r1')]));
    await accept(...made);
    const first = await claimAll(tenant, 'r1', NOW, 3);
    const second = await claimAll(tenant, 'r1', NOW, 3);
    const third = await claimAll(tenant, 'r1', NOW, 3);
    const ids = [...first.deliveries, ...second.deliveries].map(({ id }) => id);
    assert.equal(first.deliveries.length, 3);
    assert.equal(first.nextDueAt, NOW);
    assert.equal(second.nextDueAt, null);
    assert.deepEqual(
      ids.toSorted(),
      made.map(({ deliveries }) => deliveries[0]?.id ?? '').toSorted(),
    );
    assert.deepEqual(third.deliveries, []);
  });

  test('a claim tells when the next one is due, and takes nothing before', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    const id = made.deliveries[0]?.id ?? '';
    await store.settle([settlement(tenant, id, { state: 'pending', dueAt: NOW + 5000, step: 1 })]);
    assert.deepEqual(await claimAll(tenant, 'r1', NOW + 4999), {
      deliveries: [],
      nextDueAt: NOW + 5000,
    });
    const { deliveries } = await claimAll(tenant, 'r1', NOW + 5000);
    assert.deepEqual([deliveries[0]?.attempts, deliveries[0]?.step], [1, 1]);
  });

  test('leased deliveries are not claimed until they are given back', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    assert.deepEqual((await claimAll(tenant, 'r1')).deliveries, []);
    await store.release([{ tenant, id: made.deliveries[0]?.id ?? '' }]);
    assert.equal((await claimAll(tenant, 'r1')).deliveries.length, 1);
  });

  test('registrations of one id in two tenants do not meet', async () => {
    const [one, other] = [freshTenant(), freshTenant()];
    await accept(event(one, [delivery('same')]), event(other, [delivery('same')]));
    assert.equal((await claimAll(one, 'same')).deliveries.length, 1);
    assert.equal((await claimAll(other, 'same')).deliveries.length, 1);
  });

  test('an attempt is recorded with the state that follows', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    const id = made.deliveries[0]?.id ?? '';
    assert.deepEqual(await store.settle([settlement(tenant, id, DELIVERED)]), [true]);
    const found = await store.delivery(tenant, id);
    assert.equal(found?.row.state, 'delivered');
    assert.equal(found?.row.endedAt, NOW + 12);
    assert.deepEqual(found?.attempts, [
      {
        deliveryId: id,
        number: 1,
        startedAt: NOW + 5,
        durationMs: 7,
        outcome: OK,
        requestHeaders: [['a', 'b']],
        signedBy: { ms: '#1', standard: ['#1'] },
      },
    ]);
  });

  test('of very many attempts the newest are shown, oldest first', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    const id = made.deliveries[0]?.id ?? '';
    const again = { state: 'pending', dueAt: NOW, step: 1 } as const;
    const numbers = Array.from({ length: ATTEMPTS_SHOWN + 3 }, (_, index) => index + 1);
    await store.settle(numbers.map((number) => settlement(tenant, id, again, number)));
    const found = await store.delivery(tenant, id);
    assert.equal(found?.row.attempts, ATTEMPTS_SHOWN + 3);
    assert.deepEqual(
      found?.attempts.map(({ number }) => number),
      numbers.slice(3),
    );
    const page = async (skip: number, of = tenant): Promise<readonly number[]> =>
      (await store.attempts({ tenant: of, deliveryId: id, skip, limit: 60 })).map(
        ({ number }) => number,
      );
    assert.deepEqual(await page(0), numbers.slice(0, 60));
    assert.deepEqual(await page(60), numbers.slice(60));
    assert.deepEqual(await page(numbers.length), []);
    assert.deepEqual(await page(0, freshTenant()), []);
  });

  test('a result that comes too late is recorded but changes nothing, unless it delivered', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [
      delivery('r1', { leased: true }),
      delivery('r2', { leased: true }),
    ]);
    await accept(made);
    const [cancelled = '', held = ''] = made.deliveries.map(({ id }) => id);
    assert.equal(await store.cancel(tenant, cancelled, NOW), true);
    await store.move({
      tenant,
      registrationId: 'r2',
      from: 'pending',
      to: 'held',
      reason: 'paused',
      now: NOW,
      limit: 10,
    });
    const late = { state: 'pending', dueAt: NOW, step: 1 } as const;
    assert.deepEqual(
      await store.settle([
        settlement(tenant, cancelled, late),
        settlement(tenant, held, DELIVERED),
      ]),
      [false, true],
    );
    const first = await store.delivery(tenant, cancelled);
    assert.deepEqual([first?.row.state, first?.attempts.length], ['cancelled', 1]);
    assert.equal((await store.delivery(tenant, held))?.row.state, 'delivered');
  });

  test('recovery names what waits and gives leases back', async () => {
    const tenant = freshTenant();
    await accept(
      event(tenant, [delivery('r1', { leased: true }), delivery('r2', { state: 'held' })]),
      event(tenant, [delivery('r1')], { acceptedAt: NOW + 10 }),
    );
    const { pending, held } = await store.recover(ALL_SHARDS);
    assert.deepEqual(
      pending.filter((each) => each.tenant === tenant),
      [{ tenant, registrationId: 'r1', nextDueAt: NOW }],
    );
    assert.deepEqual(
      held.filter((each) => each.tenant === tenant),
      [{ tenant, registrationId: 'r2' }],
    );
    assert.equal((await claimAll(tenant, 'r1', NOW + 10)).deliveries.length, 2);
  });

  test('deliveries move in steps, and back', async () => {
    const tenant = freshTenant();
    await accept(
      ...Array.from({ length: 5 }, () => event(tenant, [delivery('r1', { leased: true })])),
    );
    const move = { tenant, registrationId: 'r1', reason: 'paused', now: NOW + 9, limit: 3 };
    assert.equal(await store.move({ ...move, from: 'pending', to: 'held' }), 3);
    assert.equal(await store.move({ ...move, from: 'pending', to: 'held' }), 2);
    assert.equal((await store.deliveries({ tenant, state: 'held', limit: 10 })).length, 5);
    assert.equal(
      await store.move({ ...move, from: 'held', to: 'pending', reason: null, limit: 10 }),
      5,
    );
    assert.equal((await claimAll(tenant, 'r1', NOW + 9)).deliveries.length, 5);
    assert.equal(await store.move({ ...move, from: 'pending', to: 'cancelled', limit: 10 }), 5);
    const [row] = await store.deliveries({ tenant, limit: 1 });
    assert.deepEqual([row?.state, row?.reason, row?.endedAt], ['cancelled', 'paused', NOW + 9]);
  });

  test('retry makes an ended delivery due again from the first step; cancel ends a waiting one only', async () => {
    const tenant = freshTenant();
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    const id = made.deliveries[0]?.id ?? '';
    await store.settle([settlement(tenant, id, { state: 'exhausted', reason: 'used up' })]);
    assert.equal(await store.cancel(tenant, id, NOW), false);
    assert.equal(await store.retry(tenant, id, NOW + 50), true);
    const { deliveries } = await claimAll(tenant, 'r1', NOW + 50);
    assert.deepEqual([deliveries[0]?.attempts, deliveries[0]?.step], [1, 0]);
    assert.equal(await store.retry(tenant, newId(NOW), NOW), false);
  });

  test('another tenant’s ids are unknown ones', async () => {
    const [owner, stranger] = [freshTenant(), freshTenant()];
    const made = event(owner, [delivery('r1')]);
    await accept(made);
    const id = made.deliveries[0]?.id ?? '';
    assert.equal(await store.delivery(stranger, id), undefined);
    assert.equal(await store.event(stranger, made.id), undefined);
    assert.equal(await store.retry(stranger, id, NOW), false);
    assert.equal(await store.cancel(stranger, id, NOW), false);
    assert.deepEqual(await store.deliveries({ tenant: stranger, eventId: made.id, limit: 10 }), []);
    assert.deepEqual((await claimAll(stranger, 'r1')).deliveries, []);
  });
}
