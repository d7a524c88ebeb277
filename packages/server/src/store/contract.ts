import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../core/testing/attempt.ts';
import { type AuditEntry, auditEntry, SERVICE } from '../core/audit.ts';
import type { ApiKey } from '../core/key.ts';
import type { Outcome } from '../core/outcome.ts';
import { type Id, newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { ALL_SHARDS } from '../core/shard.ts';
import { orderContract } from './order-contract.ts';
import {
  ATTEMPTS_SHOWN,
  type AuditQuery,
  type NewDelivery,
  type NewEvent,
  type NextState,
  type Publication,
  type Settlement,
  type Store,
} from './port.ts';
import { jobContract } from './testing/job-contract.ts';
import { sequenceContract } from './testing/sequence-contract.ts';
import { statisticsContract } from './testing/statistics-contract.ts';
import { eraseContract } from './testing/erase-contract.ts';
import { retentionContract } from './testing/retention-contract.ts';
import { searchContract } from './testing/search-contract.ts';
import { streaksContract } from './testing/streaks-contract.ts';
import { waitingContract } from './testing/waiting-contract.ts';
import { openForTests, type OpenStore } from './testing/open-store.ts';

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 8, 1);
const DELIVERED: NextState = { state: 'delivered', reason: null };
const OK: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [['x', 'y']], body: 'ok', truncated: false },
};

/** Everything a driver must do, as tests; `open` gives an empty store. */
export function storeContract(open: OpenStore): void {
  searchContract(open);
  orderContract(open);
  streaksContract(open);
  waitingContract(open);
  jobContract(open);
  statisticsContract(open);
  sequenceContract(open);
  eraseContract(open);
  retentionContract(open);
  let store: Store;
  let tenantNumber = 0;
  openForTests(open, (opened) => {
    store = opened;
  });

  /** Tests share a store and have tenants of their own. */
  const freshTenant = (): string => {
    tenantNumber += 1;
    return `tenant${tenantNumber}`;
  };

  const delivery = (registrationId: Id, rest: Partial<NewDelivery> = {}): NewDelivery => ({
    id: newId(NOW),
    registrationId,
    state: 'pending',
    leased: false,
    picks: null,
    orderKeys: null,
    ...rest,
  });

  const event = (
    tenant: string,
    deliveries: readonly NewDelivery[],
    rest: Partial<NewEvent> = {},
  ): NewEvent => ({
    id: newId(NOW),
    tenant,
    acceptedAt: NOW,
    occurredAt: null,
    payload: '{"Action":"A"}',
    actions: ['A'],
    deliveries,
    ...rest,
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  const settlement = (tenant: string, deliveryId: Id, next: NextState, number = 1): Settlement => ({
    tenant,
    deliveryId,
    next,
    ordered: false,
    attempt: attemptOf({
      deliveryId,
      number,
      startedAt: NOW + 5,
      durationMs: 7,
      outcome: OK,
      requestHeaders: [['a', 'b']],
    }),
  });

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

  test('a repeated key answers as the first call did, and conflicts for other content', async () => {
    const tenant = freshTenant();
    const publication = (hash: string, answer: string): Publication => ({
      events: [event(tenant, [])],
      idempotency: { tenant, key: 'k', hash, answer, at: NOW },
    });
    const results = await store.accept([
      publication('h', 'first'),
      publication('h', 'second'),
      publication('other', 'third'),
    ]);
    assert.deepEqual(results, [
      { kind: 'accepted', numbers: [] },
      { kind: 'repeated', answer: 'first' },
      { kind: 'conflict' },
    ]);
    assert.equal((await store.events({ tenant, limit: 10 })).length, 1);
    const other = freshTenant();
    const [elsewhere] = await store.accept([
      {
        events: [event(other, [])],
        idempotency: { tenant: other, key: 'k', hash: 'x', answer: '', at: NOW },
      },
    ]);
    assert.deepEqual(elsewhere, { kind: 'accepted', numbers: [] });
    assert.equal(await store.pruneIdempotency(NOW + 1, 1), 1);
    while ((await store.pruneIdempotency(NOW + 1, 1)) === 1);
    assert.deepEqual(await store.accept([publication('other', 'fourth')]), [
      { kind: 'accepted', numbers: [] },
    ]);
  });

  test('two hundred calls at once each get their own answer', async () => {
    const tenant = freshTenant();
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const idempotency = { tenant, key: `k${n % 100}`, hash: 'h', answer: `${n}`, at: NOW };
        const [answer] = await store.accept([{ events: [event(tenant, [])], idempotency }]);
        return answer?.kind;
      }),
    );
    assert.equal(answers.filter((kind) => kind === 'accepted').length, 100);
    assert.equal(answers.filter((kind) => kind === 'repeated').length, 100);
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
    const later = { id: newId(NOW + DAY_MS), actions: ['Other'] };
    await accept(event(tenant, [delivery('r1', { id: newId(NOW + DAY_MS) })], later));
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

  const registration = (tenant: string, id: Id): Registration => ({
    id,
    tenant,
    webHookUri: 'https://receiver.example/',
    secret: 's',
    description: 'odd: \u0000 \ud800 "',
    isPaused: false,
    filters: ['*'],
    headers: [['X-A', '1']],
    properties: '{"n":1.0}',
    createdAt: NOW,
    updatedAt: NOW,
    secretId: '#1',
    secretChangedAt: null,
    oldSecrets: [],
    conditions: null,
    switchedOff: null,
  });

  test('registrations come back as they were put in', async () => {
    const tenant = freshTenant();
    const made = registration(tenant, newId(NOW));
    await store.insertRegistration(made);
    await assert.rejects(store.insertRegistration(made));
    const changed = { ...made, isPaused: true, switchedOff: { at: NOW, reason: 'gone' } };
    assert.equal(await store.updateRegistration(changed), true);
    assert.equal(await store.updateRegistration({ ...made, tenant: freshTenant() }), false);
    assert.deepEqual(
      (await store.registrations()).filter((each) => each.tenant === tenant),
      [changed],
    );
    assert.equal(await store.deleteRegistration(tenant, made.id), true);
    assert.equal(await store.deleteRegistration(tenant, made.id), false);
  });

  test('filters are kept by name, whatever its case', async () => {
    const filter = {
      name: 'BadgeAwarded',
      description: 'd',
      schema: { type: 'object' },
      example: null,
      subjects: [],
      private: ['Learner.Email'],
    };
    await store.putFilter(filter);
    await store.putFilter({ ...filter, description: 'changed' });
    assert.deepEqual(
      (await store.filters()).map(({ description }) => description),
      ['changed'],
    );
    assert.equal(await store.deleteFilter('badgeawarded'), true);
    assert.equal(await store.deleteFilter('BadgeAwarded'), false);
  });

  test('tenants and keys come and go, and a tenant takes everything with it', async () => {
    const id = freshTenant();
    const tenant = { id, name: 'One', createdAt: NOW, maxPending: null };
    const changed = { ...tenant, name: 'New', maxPending: 5 };
    const stored = async () => (await store.tenants()).filter((each) => each.id === id);
    assert.equal(await store.insertTenant(tenant), true);
    assert.equal(await store.insertTenant({ ...tenant, name: 'Two' }), false);
    assert.deepEqual(await stored(), [tenant]);
    assert.equal(await store.updateTenant(changed), true);
    assert.deepEqual(await stored(), [changed]);
    const key = {
      id: newId(NOW),
      tenant: id,
      level: 'Publish',
      name: 'n',
      hash: 'h',
      createdAt: NOW,
      expiresAt: null,
    } as const;
    await store.insertKey(key);
    assert.deepEqual(
      (await store.keys()).filter((each) => each.tenant === id),
      [key],
    );
    assert.equal(await store.deleteKey(freshTenant(), key.id), false);
    const made = event(id, [delivery('r1')]);
    await accept(made);
    assert.equal(await store.deleteTenant(id), true);
    assert.deepEqual(
      (await store.keys()).filter((each) => each.tenant === id),
      [],
    );
    assert.equal(await store.event(id, made.id), undefined);
    assert.deepEqual(await store.deliveries({ tenant: id, limit: 10 }), []);
    assert.equal(await store.updateTenant(changed), false);
  });

  test('a tenant with many deliveries goes whole, and no other one with it', async () => {
    const [gone, stays] = [freshTenant(), freshTenant()];
    for (const id of [gone, stays]) {
      await store.insertTenant({ id, name: id, createdAt: NOW, maxPending: null });
      const idempotency = { tenant: id, key: 'k', hash: 'h', answer: 'a', at: NOW };
      const events = Array.from({ length: 1200 }, () => event(id, [delivery('r1')]));
      await store.accept([{ events, idempotency }]);
    }
    assert.equal(await store.deleteTenant(gone), true);
    assert.equal(await store.deleteTenant(gone), false);
    assert.deepEqual(await store.events({ tenant: gone, limit: 1 }), []);
    assert.equal((await store.deliveries({ tenant: stays, limit: 2000 })).length, 1200);
    const again = { tenant: gone, key: 'k', hash: 'other', answer: 'a', at: NOW };
    assert.deepEqual(await store.accept([{ events: [], idempotency: again }]), [
      { kind: 'accepted', numbers: [] },
    ]);
  });

  test('what is settled after its tenant was removed leaves nothing behind', async () => {
    const tenant = freshTenant();
    await store.insertTenant({ id: tenant, name: 't', createdAt: NOW, maxPending: null });
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    await store.deleteTenant(tenant);
    const id = made.deliveries[0]?.id ?? '';
    assert.deepEqual(await store.settle([settlement(tenant, id, DELIVERED)]), [false]);
    assert.equal(await store.delivery(tenant, id), undefined);
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

  /** Its id is of its time, also where that is long ago. */
  const entry = (tenant: string | null, target: string, at = NOW): AuditEntry => ({
    ...auditEntry(at, SERVICE, {
      tenant,
      what: 'thing changed',
      target,
      before: null,
      after: { 'line\nbreak': '\u0000 "quoted"' },
    }),
    id: at.toString(16).padStart(12, '0') + newId(NOW).slice(12),
  });

  test('the audit log is newest first, by tenant and time, and shows the installation to operators only', async () => {
    const [one, other] = [freshTenant(), freshTenant()];
    const kept = [
      entry(one, 'a'),
      entry(null, 'b', NOW + 1),
      entry(other, 'c', NOW + 2),
      entry(one, 'd', NOW + 3),
    ] as const;
    for (const each of kept) await store.note(each);
    const targets = async (query: Omit<AuditQuery, 'limit'>, limit = 10) =>
      (await store.audit({ ...query, limit })).map(({ target }) => target);
    assert.deepEqual(await store.audit({ tenant: one, limit: 10 }), [kept[3], kept[0]]);
    assert.deepEqual(await targets({ tenant: one }, 1), ['d']);
    assert.deepEqual(await targets({ tenant: one, before: kept[3].id }), ['a']);
    assert.deepEqual(await targets({ tenant: one, from: NOW + 1 }), ['d']);
    assert.deepEqual(await targets({ tenant: one, to: NOW + 1 }), ['a']);
    assert.deepEqual(await targets({ from: NOW, to: NOW + 4 }), ['d', 'c', 'b', 'a']);
  });

  test('a change and its audit entry are kept together, and what changes nothing is not noted', async () => {
    const tenant = freshTenant();
    const id = newId(NOW);
    const made = registration(tenant, id);
    const key: ApiKey = {
      id,
      tenant,
      level: 'Publish',
      name: 'n',
      hash: `h${id}`,
      createdAt: NOW,
      expiresAt: null,
    };
    const nothing = { schema: null, example: null, subjects: [], private: [] };
    const filter = { name: `F${id}`, description: 'd', ...nothing };
    const waiting = delivery('r1');
    await accept(event(tenant, [waiting]));
    const notes: AuditEntry[] = [];
    const note = (target: string): AuditEntry => {
      const next = entry(tenant, target);
      notes.push(next);
      return next;
    };
    const institution = { id: tenant, name: 'n', createdAt: NOW, maxPending: null };
    await store.insertTenant(institution, note('insertTenant'));
    await store.updateTenant({ ...institution, name: 'm' }, note('updateTenant'));
    await store.insertRegistration(made, note('insertRegistration'));
    await store.updateRegistration(made, note('updateRegistration'));
    await store.deleteRegistration(tenant, id, note('deleteRegistration'));
    await store.putFilter(filter, note('putFilter'));
    await store.deleteFilter(filter.name, note('deleteFilter'));
    await store.insertKey(key, note('insertKey'));
    await store.deleteKey(tenant, id, note('deleteKey'));
    await store.cancel(tenant, waiting.id, NOW, note('cancel'));
    await store.retry(tenant, waiting.id, NOW, note('retry'));
    await store.deleteTenant(tenant, note('deleteTenant'));
    const none = entry(tenant, 'none');
    const other = { ...institution, id: 'default' };
    assert.equal(await store.insertTenant(other), true);
    assert.equal(await store.insertTenant(other, none), false);
    assert.equal(await store.updateTenant(institution, none), false);
    assert.equal(await store.updateRegistration(made, none), false);
    assert.equal(await store.deleteRegistration(tenant, id, none), false);
    assert.equal(await store.deleteFilter(filter.name, none), false);
    assert.equal(await store.deleteKey(tenant, id, none), false);
    assert.equal(await store.cancel(tenant, waiting.id, NOW, none), false);
    assert.equal(await store.retry(tenant, waiting.id, NOW, none), false);
    assert.equal(await store.deleteTenant(tenant, none), false);
    await store.insertRegistration(made);
    await assert.rejects(store.insertRegistration(made, none));
    await store.deleteTenant('default');
    assert.deepEqual(await store.audit({ tenant, limit: 100 }), notes.toReversed());
  });

  test('old entries of the audit log go oldest first, in steps, those of tenants that are gone too', async () => {
    const tenant = freshTenant();
    await store.insertTenant({ id: tenant, name: 'n', createdAt: NOW, maxPending: null });
    const old = NOW - 400 * DAY_MS;
    const kept = [0, 1, 2].map((n) => entry(tenant, `old${n}`, old + n));
    for (const each of [...kept, entry(tenant, 'young')]) await store.note(each);
    await store.deleteTenant(tenant);
    const targets = async () =>
      (await store.audit({ tenant, limit: 10 })).map(({ target }) => target);
    assert.equal(await store.pruneAudit(NOW - 365 * DAY_MS, 2), 2);
    assert.deepEqual(await targets(), ['young', 'old2']);
    assert.equal(await store.pruneAudit(NOW - 365 * DAY_MS, 2), 1);
    assert.deepEqual(await targets(), ['young']);
  });

  test('settings are kept, and a check writes', async () => {
    assert.equal(await store.setting('none'), undefined);
    await store.putSetting('name', 'value');
    await store.putSetting('name', 'other');
    assert.equal(await store.setting('name'), 'other');
    await store.check();
  });

  test('one call at fault does not take others with it', async () => {
    const tenant = freshTenant();
    const made = event(tenant, []);
    await accept(made);
    const [bad, good] = await Promise.allSettled([accept(made), accept(event(tenant, []))]);
    assert.deepEqual([bad.status, good.status], ['rejected', 'fulfilled']);
  });
}
