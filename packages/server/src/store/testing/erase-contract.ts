import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../core/testing/attempt.ts';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { ERASED_REASON } from '../../core/erasing.ts';
import { type Id, newId } from '../../core/id.ts';
import type { Job } from '../../core/job.ts';
import type { Outcome } from '../../core/outcome.ts';
import { subjectKey, type SubjectPaths } from '../../core/subjects.ts';
import type { ErasureStep, NewDelivery, NextState, PendingChoice, Store } from '../port.ts';
import { freshTenant } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const NOW = Date.UTC(2026, 8, 1);
const LATER = NOW + 60_000;
const DELIVERED: NextState = { state: 'delivered', reason: null };
const AGAIN: NextState = { state: 'pending', dueAt: LATER, step: 1 };
const PATHS: SubjectPaths = {
  done: [
    { kind: 'learner', path: 'Id' },
    { kind: 'learner', path: 'Email' },
    { kind: 'course', path: 'Course' },
  ],
};
const ANA = subjectKey({ kind: 'learner', value: 'Ana@school.example' });
const BEN = subjectKey({ kind: 'learner', value: 'ben@school.example' });
const ana = '{"Action":"Done","Id":"a-1", "Email":"ana@school.example","Course":"c1","n":1.0}';
const ben = '{"Action":"Done","Id":"b-2","Email":"ben@school.example","Course":"c1"}';
const NOBODY = '{"Action":"Done","Erased":true}';
const ANSWERED: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [['x-learner', 'a-1']], body: 'thanks, ana', truncated: false },
};
const JOB = {
  registrationId: 'r',
  state: 'running',
  rate: 10,
  reason: null,
  done: 0,
  createdAt: NOW,
  total: null,
  endedAt: null,
  cursor: null,
  selection: {
    from: null,
    to: null,
    states: null,
    filters: null,
    subject: null,
    deliveries: null,
  },
} as const;
const SIGNED = { ms: '#1', standard: ['#1'] };

/** What a driver must do to forget a learner; part of the store's contract. */
export function eraseContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  const fresh = (): void => {
    tenant = freshTenant();
  };

  /** An event with one delivery to each registration that is given; ids of both. */
  const publish = async (
    notifications: readonly string[],
    deliveries: readonly Partial<NewDelivery>[] = [{}],
  ): Promise<{ event: Id; deliveries: readonly Id[] }> => {
    const made = deliveries.map((rest): NewDelivery => {
      const place = { id: newId(NOW), registrationId: 'r', picks: null, orderKeys: null };
      return { ...place, state: 'pending', leased: false, ...rest };
    });
    const event = {
      id: newId(NOW),
      tenant,
      acceptedAt: NOW,
      occurredAt: null,
      payload: notifications.join(NOTIFICATION_SEPARATOR),
      actions: notifications.map(() => 'Done'),
      deliveries: made,
    };
    await store.accept([{ events: [event], idempotency: null }]);
    while ((await store.index(PATHS, 100)) > 0);
    return { event: event.id, deliveries: made.map(({ id }) => id) };
  };

  const claim = async (now = NOW, registrationId = 'r') => {
    const [claimed] = await store.claim([{ tenant, registrationId, room: 100 }], now);
    return claimed?.deliveries ?? [];
  };

  const settle = (deliveryId: Id | undefined, next: NextState, number = 1) => {
    const when = { number, startedAt: NOW, durationMs: 1 };
    const what = { outcome: ANSWERED, requestHeaders: [['x', 'ana'] as const], signedBy: SIGNED };
    const place = { deliveryId: deliveryId ?? '' };
    const attempt = attemptOf({ ...place, ...when, ...what });
    return store.settle([{ tenant, ...place, attempt, next, ordered: true }]);
  };

  const erase = (learner = ANA, pending: PendingChoice = 'send', limit = 100) =>
    store.erase({ tenant, learner, receipt: 'receipt', pending, now: NOW, limit });

  const own = async (learner: string): Promise<readonly (readonly number[])[]> =>
    (await store.learnerEvents({ tenant, learner, limit: 100 })).map((each) => each.own);

  const shown = async (event: Id): Promise<readonly string[] | undefined> =>
    (await store.event(tenant, event))?.notifications;

  const sums = ({ events }: ErasureStep) => ({
    events: events.filter(({ waiting }) => waiting.length === 0).length,
    notifications: events.reduce((sum, each) => sum + each.notifications, 0),
    deliveries: events.reduce((sum, each) => sum + each.deliveries, 0),
    attempts: events.reduce((sum, each) => sum + each.attempts, 0),
    cancelled: events.flatMap(({ cancelled }) => cancelled.map(({ id }) => id)),
    waiting: events.flatMap(({ waiting }) => waiting.map(({ id }) => id)),
  });
  const NOTHING = {
    events: 0,
    notifications: 0,
    deliveries: 0,
    attempts: 0,
    cancelled: [],
    waiting: [],
  };

  test('a learner is found with the events and the notifications that are theirs, newest first', async () => {
    fresh();
    const first = await publish([ana]);
    const second = await publish([ben, ana, ben]);
    await publish([ben]);
    const found = await store.learnerEvents({ tenant, learner: ANA, limit: 10 });
    assert.deepEqual(
      found.map(({ event, own: theirs }) => [event.id, theirs]),
      [
        [second.event, [1]],
        [first.event, [0]],
      ],
    );
    const page = await store.learnerEvents({
      tenant,
      learner: ANA,
      before: second.event,
      limit: 10,
    });
    assert.deepEqual(
      page.map(({ event }) => event.id),
      [first.event],
    );
    assert.deepEqual(
      await store.learnerEvents({ tenant: `${tenant}x`, learner: ANA, limit: 10 }),
      [],
    );
  });

  test('the notifications of one learner are erased, and the others of the event stay as they were', async () => {
    fresh();
    const { event, deliveries } = await publish(
      [ben, ana, ben],
      [{}, { registrationId: 's', picks: [1] }, { registrationId: 't', picks: [0, 2] }],
    );
    for (const id of deliveries) await settle(id, DELIVERED);
    assert.deepEqual(sums(await erase()), {
      ...NOTHING,
      events: 1,
      notifications: 1,
      deliveries: 2,
      attempts: 2,
    });
    assert.deepEqual(await shown(event), [ben, NOBODY, ben]);
    assert.deepEqual((await store.event(tenant, event))?.erased, [1]);
    const rows = await Promise.all(deliveries.map((id) => store.delivery(tenant, id)));
    assert.deepEqual(
      rows.map((found) => found?.row.erased),
      [1, 1, 0],
    );
    const attempts = rows.map((found) => found?.attempts[0]);
    const nothing = { ...ANSWERED, response: { headers: [], body: '', truncated: false } };
    for (const attempt of attempts.slice(0, 2)) {
      assert.deepEqual(attempt?.outcome, nothing);
      assert.deepEqual(attempt?.requestHeaders, []);
      assert.equal(attempt?.erased, true);
    }
    assert.deepEqual(attempts[2]?.outcome, ANSWERED);
    assert.equal(attempts[2]?.erased, undefined);
  });

  test('what was erased is found by none of the names it had, and the rest as before', async () => {
    fresh();
    const { event } = await publish([ana, ben], [{ state: 'held' }]);
    await store.move({
      tenant,
      registrationId: 'r',
      from: 'held',
      to: 'cancelled',
      reason: null,
      now: NOW,
      limit: 10,
    });
    await erase();
    const by = async (query: object) =>
      (await store.events({ tenant, limit: 10, ...query })).map(({ id }) => id);
    for (const subject of ['a-1', 'ana@school.example'])
      assert.deepEqual(await by({ subject }), []);
    for (const subject of ['b-2', 'ben@school.example', 'c1'])
      assert.deepEqual(await by({ subject }), [event]);
    assert.deepEqual(await by({ action: 'Done' }), [event]);
    assert.deepEqual(await own(BEN), [[1]]);
    assert.deepEqual(await own(subjectKey({ kind: 'course', value: 'c1' })), [[1]]);
    await erase(BEN);
    assert.deepEqual(await shown(event), [NOBODY, NOBODY]);
    assert.deepEqual(await by({ subject: 'c1' }), []);
    assert.deepEqual(await by({ action: 'Done' }), [event]);
  });

  test('an erasure goes on where it was broken off, and finds nothing when it is asked for again', async () => {
    fresh();
    for (let count = 0; count < 5; count += 1) await publish([ana, ben], []);
    const first = await erase(ANA, 'send', 2);
    assert.equal(sums(first).events, 2);
    assert.notEqual(first.next, null);
    assert.equal(sums(await erase(ANA, 'send', 2)).events, 2);
    const last = await erase(ANA, 'send', 2);
    assert.equal(sums(last).events, 1);
    assert.equal(last.next, null);
    assert.deepEqual(sums(await erase()), NOTHING);
    assert.equal((await own(BEN)).length, 5);
  });

  test('what waits is sent first, and erased once it has ended', async () => {
    fresh();
    const { event, deliveries } = await publish([ana], [{}, { registrationId: 's' }]);
    await settle(deliveries[1], DELIVERED);
    assert.deepEqual(sums(await erase()), { ...NOTHING, waiting: [deliveries[0]] });
    assert.deepEqual(await shown(event), [ana]);
    assert.deepEqual(await own(ANA), [[0]]);
    assert.deepEqual((await claim())[0]?.notifications, [ana]);
    await settle(deliveries[0], AGAIN);
    const mine = async () =>
      (await store.eraseMarked({ now: LATER, limit: 100 })).events.filter(
        (each) => each.tenant === tenant,
      );
    assert.deepEqual(
      (await mine()).map(({ waiting }) => waiting.map(({ id }) => id)),
      [[deliveries[0]]],
    );
    await claim(LATER);
    await settle(deliveries[0], DELIVERED, 2);
    const [finished] = await mine();
    assert.equal(finished?.receipt, 'receipt');
    assert.equal(finished?.attempts, 3);
    assert.deepEqual(await shown(event), [NOBODY]);
    assert.deepEqual(await mine(), [], 'it is done once');
  });

  test('marked events are gone through in steps', async () => {
    fresh();
    for (let count = 0; count < 3; count += 1) await publish([ana]);
    await erase();
    const seen: Id[] = [];
    let step = await store.eraseMarked({ now: NOW, limit: 2 });
    for (;;) {
      seen.push(...step.events.filter((each) => each.tenant === tenant).map((e) => e.eventId));
      if (step.next === null) break;
      step = await store.eraseMarked({ now: NOW, limit: 2, after: step.next });
    }
    assert.equal(new Set(seen).size, 3);
    assert.equal(seen.length, 3);
  });

  test('what waits is cancelled where that is asked for, and what carries more goes on with the rest', async () => {
    fresh();
    const { event, deliveries } = await publish(
      [ana, ben],
      [
        { picks: [0] },
        { registrationId: 's' },
        { registrationId: 'h', picks: [0], state: 'held' },
        { registrationId: 't', picks: [1] },
      ],
    );
    const [alone, both, held, other] = deliveries;
    const result = await erase(ANA, 'cancel');
    assert.deepEqual(sums(result), {
      ...NOTHING,
      events: 1,
      notifications: 1,
      deliveries: 3,
      cancelled: sums(result).cancelled,
    });
    assert.deepEqual(new Set(sums(result).cancelled), new Set([alone, held]));
    for (const id of [alone, held]) {
      const found = await store.delivery(tenant, id ?? '');
      assert.equal(found?.row.state, 'cancelled');
      assert.equal(found?.row.reason, ERASED_REASON);
    }
    assert.deepEqual(await claim(), []);
    assert.deepEqual(
      (await claim(NOW, 's')).map(({ id, notifications }) => [id, notifications]),
      [[both, [ben]]],
    );
    assert.deepEqual(
      (await claim(NOW, 't')).map(({ id, notifications }) => [id, notifications]),
      [[other, [ben]]],
    );
    assert.deepEqual(await shown(event), [NOBODY, ben]);
  });

  test('what is in hand with more than the learner is waited for', async () => {
    fresh();
    const { event, deliveries } = await publish([ana, ben]);
    await claim();
    const step = await erase(ANA, 'cancel');
    assert.deepEqual(
      step.events[0]?.waiting.map(({ id, inHand }) => [id, inHand]),
      [[deliveries[0], true]],
    );
    assert.deepEqual(await shown(event), [ana, ben]);
    await store.release([{ tenant, id: deliveries[0] ?? '' }]);
    assert.equal(sums(await erase(ANA, 'cancel')).events, 1);
    assert.deepEqual((await claim())[0]?.notifications, [ben]);
  });

  test('what was cancelled while it was being sent keeps nothing of its attempt', async () => {
    fresh();
    const { deliveries } = await publish([ana]);
    await claim();
    assert.deepEqual(sums(await erase(ANA, 'cancel')).cancelled, deliveries);
    await settle(deliveries[0], DELIVERED);
    const found = await store.delivery(tenant, deliveries[0] ?? '');
    assert.equal(found?.row.state, 'delivered', 'what arrived has arrived');
    assert.deepEqual(
      found?.attempts.map(({ erased, requestHeaders }) => [erased, requestHeaders]),
      [[true, []]],
    );
    assert.equal(JSON.stringify(found).includes('ana'), false);
  });

  test('a delivery of which nothing is left is claimed as an empty one when it is tried again', async () => {
    fresh();
    const { deliveries } = await publish([ana]);
    await settle(deliveries[0], DELIVERED);
    await erase();
    assert.equal(await store.retry(tenant, deliveries[0] ?? '', NOW), true);
    assert.deepEqual((await claim())[0]?.notifications, []);
  });

  test('an order forgets the learner, and what waited because of them goes on', async () => {
    fresh();
    const first = await publish([ana, ben], [{ orderKeys: [ANA, BEN] }]);
    const second = await publish([ana], [{ orderKeys: [ANA] }]);
    const third = await publish([ben], [{ orderKeys: [BEN] }]);
    const result = sums(await erase(ANA, 'cancel'));
    assert.deepEqual(result.cancelled, second.deliveries);
    assert.deepEqual(
      (await claim()).map(({ id }) => id),
      first.deliveries,
      'what Ben has to wait for he waits for',
    );
    const newest = await publish([ana], [{ orderKeys: [ANA] }]);
    assert.deepEqual(
      (await claim()).map(({ id }) => id),
      newest.deliveries,
      'nobody waits behind an order that was forgotten',
    );
    await settle(first.deliveries[0], DELIVERED);
    assert.deepEqual(
      (await claim()).map(({ id }) => id),
      third.deliveries,
    );
  });

  test('a delivery that waited only because of the learner is free', async () => {
    fresh();
    await publish([ana], [{ orderKeys: [ANA] }]);
    await claim();
    const both = await publish([ana, ben], [{ orderKeys: [ANA, BEN] }]);
    assert.deepEqual(await claim(), []);
    await erase(ANA, 'cancel');
    const claimed = await claim();
    assert.deepEqual(
      claimed.map(({ id, notifications }) => [id, notifications]),
      [[both.deliveries[0], [ben]]],
    );
  });

  test('another tenant keeps what it has of the same person', async () => {
    fresh();
    const mine = tenant;
    const { event } = await publish([ana], []);
    fresh();
    await publish([ana], []);
    await erase();
    tenant = mine;
    assert.deepEqual(await shown(event), [ana]);
    assert.deepEqual(await own(ANA), [[0]]);
  });

  test('jobs make deliveries of what is left only, and what is held shows what is left', async () => {
    fresh();
    const whole = await publish([ana]);
    const part = await publish([ana, ben], [{}, { registrationId: 's', state: 'held' }]);
    await publish([ana], []);
    const missed = await publish([ana, ben], []);
    await settle(whole.deliveries[0], DELIVERED);
    await settle(part.deliveries[0], DELIVERED);
    await erase(ANA, 'cancel');
    const asked = { limit: 100, texts: true };
    const found = async (kind: 'replay' | 'backfill') => {
      const job: Job = { ...JOB, id: newId(NOW), tenant, kind };
      const { items } = await store.candidates(job, asked);
      return items.map(({ eventId, picks }) => [eventId, picks]);
    };
    assert.deepEqual(await found('replay'), [[part.event, [1]]]);
    assert.deepEqual(await found('backfill'), [[missed.event, [1]]]);
    const { items } = await store.held({ tenant, id: 's' }, null);
    assert.deepEqual(
      items.map(({ actions, notifications }) => [actions, notifications]),
      [[['Done'], [ben]]],
    );
  });

  test('what was erased is gone from its files after scrubbing', async () => {
    assert.equal(typeof (await store.scrub()), 'boolean');
  });
}
