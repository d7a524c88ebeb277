import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../core/testing/attempt.ts';
import { type Id, idTime, newId } from '../../core/id.ts';
import type { Job, Selection } from '../../core/job.ts';
import type { Outcome } from '../../core/outcome.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
import type { Candidate, JobStep, NewDelivery, NextState, Store } from '../port.ts';
import { freshTenant } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const NOW = Date.UTC(2026, 8, 1);
const OK: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [], body: '', truncated: false },
};
const EVERYTHING: Selection = {
  from: null,
  to: null,
  states: null,
  filters: null,
  subject: null,
  deliveries: null,
};
const ENDS = {
  delivered: { state: 'delivered', reason: null },
  exhausted: { state: 'exhausted', reason: 'used up' },
} as const satisfies Record<string, NextState>;

/** What a driver must do for jobs that send again; part of the store's contract. */
export function jobContract(open: OpenStore): void {
  let store: Store;
  let tenant = '';
  openForTests(open, (opened) => {
    store = opened;
  });

  const fresh = (): void => {
    tenant = freshTenant();
  };

  type Made = { readonly event: Id; readonly delivery: Id };

  /** Events of one delivery each to registration r. */
  const accept = async (
    count: number,
    rest: Partial<NewDelivery> = {},
    { actions = ['A'], payload = '{"Action":"A"}' } = {},
  ): Promise<Made[]> => {
    const made = Array.from({ length: count }, () => ({
      event: newId(NOW),
      delivery: newId(NOW),
    }));
    const events = made.map(({ event, delivery: id }) => {
      const plain = { state: 'pending', leased: false, picks: null, orderKeys: null } as const;
      const deliveries = [{ id, registrationId: 'r', ...plain, ...rest }];
      return { id: event, tenant, acceptedAt: NOW, occurredAt: null, payload, actions, deliveries };
    });
    await store.accept([{ events, idempotency: null }]);
    return made;
  };

  const end = async (made: readonly Made[], next: NextState = ENDS.delivered): Promise<void> => {
    await store.settle(
      made.map(({ delivery: deliveryId }) => ({
        tenant,
        deliveryId,
        next,
        ordered: false,
        attempt: attemptOf({ deliveryId, startedAt: NOW, outcome: OK }),
      })),
    );
  };

  const ended = async (count: number, next: NextState = ENDS.delivered): Promise<Made[]> => {
    const made = await accept(count);
    await end(made, next);
    return made;
  };

  const jobOf = (selection: Partial<Selection> = {}, rest: Partial<Job> = {}): Job => ({
    id: newId(NOW),
    tenant,
    registrationId: 'r',
    kind: 'replay',
    state: 'running',
    reason: null,
    selection: { ...EVERYTHING, ...selection },
    rate: 50,
    createdAt: NOW,
    endedAt: null,
    total: { count: 3, isExact: true },
    done: 0,
    cursor: null,
    ...rest,
  });

  const insert = async (selection: Partial<Selection> = {}, rest: Partial<Job> = {}) => {
    const job = jobOf(selection, rest);
    assert.equal(await store.insertJob(job, 10), true);
    return job;
  };

  const found = async (selection: Partial<Selection>): Promise<(Id | null)[]> => {
    const { items, next } = await store.candidates(jobOf(selection), { limit: 100, texts: false });
    assert.equal(next, null);
    return items.map(({ replayOf }) => replayOf);
  };

  const stepOf = (job: Job, candidates: readonly Candidate[], next: Id | null): JobStep => ({
    tenant,
    id: job.id,
    registrationId: 'r',
    cursor: job.cursor,
    next,
    deliveries: candidates.map(({ eventId, replayOf, picks }) => ({
      id: newId(NOW),
      eventId,
      replayOf,
      picks,
      orderKeys: null,
    })),
    now: NOW,
  });

  const claim = async () => {
    const [claimed] = await store.claim([{ tenant, registrationId: 'r', room: 100 }], NOW);
    return claimed?.deliveries ?? [];
  };

  const move = (id: Id, from: Job['state'][], to: Job['state'], reason: string | null = null) =>
    store.moveJob({ tenant, id, from, to, reason, now: NOW });

  test('what a job makes takes the next numbers of its registration, what it cannot make takes none', async () => {
    fresh();
    const [one, two] = await ended(2);
    const job = jobOf();
    await store.insertJob(job, 10);
    const deliveries = [one?.event, newId(NOW), two?.event].map((eventId = '') => {
      return { id: newId(NOW), eventId, replayOf: null, picks: null, orderKeys: null };
    });
    const place = { tenant, id: job.id, registrationId: 'r', cursor: null, next: null };
    assert.equal(await store.stepJob({ ...place, deliveries, now: NOW }), true);
    const [after] = await accept(1);
    const rows = await store.feed({ tenant, registrationId: 'r', after: 2, limit: 10 });
    assert.deepEqual(
      rows.map(({ sequence, id }) => [sequence, id]),
      [
        [3, deliveries[0]?.id],
        [4, deliveries[2]?.id],
        [5, after?.delivery],
      ],
    );
  });

  test('jobs are kept as they were made, newest first, and found by their registration', async () => {
    fresh();
    const first = await insert({ from: 5, states: ['exhausted'], filters: ['a'], subject: 'ana' });
    const other = await insert({ deliveries: ['d'] }, { registrationId: 'other', total: null });
    assert.deepEqual(await store.job(tenant, first.id), first);
    assert.deepEqual(await store.jobs({ tenant, limit: 10 }), [other, first]);
    assert.deepEqual(await store.jobs({ tenant, limit: 10, before: other.id }), [first]);
    assert.deepEqual(await store.jobs({ tenant, registrationId: 'r', limit: 10 }), [first]);
    assert.equal(await store.job('foreign', first.id), undefined);
    const running = await store.runningJobs(ALL_SHARDS);
    assert.deepEqual(
      running.filter((job) => job.tenant === tenant),
      [first, other],
    );
  });

  test('a tenant has only so many unfinished jobs, and more when one has ended', async () => {
    fresh();
    const first = await insert();
    await insert({}, { state: 'paused' });
    assert.equal(await store.insertJob(jobOf(), 2), false);
    await move(first.id, ['running'], 'cancelled');
    assert.equal(await store.insertJob(jobOf(), 2), true);
  });

  test('a job changes only from the states that it is to come from', async () => {
    fresh();
    const { id } = await insert();
    assert.equal(await move(id, ['running'], 'paused'), true);
    assert.equal(await move(id, ['running'], 'paused'), false);
    const running = await store.runningJobs(ALL_SHARDS);
    assert.ok(running.every((job) => job.id !== id));
    assert.equal(await move(id, ['running', 'paused'], 'cancelled', 'so'), true);
    assert.equal(await move(id, ['paused'], 'running'), false);
    const job = await store.job(tenant, id);
    assert.deepEqual([job?.state, job?.reason, job?.endedAt], ['cancelled', 'so', NOW]);
  });

  test('what has ended is repeated, oldest first; what waits is not', async () => {
    fresh();
    const made = await ended(3);
    await accept(1);
    await accept(1, { state: 'held' });
    assert.deepEqual(
      await found({}),
      made.map(({ delivery }) => delivery),
    );
  });

  test('a replay is narrowed by states, times, filters and chosen ids', async () => {
    fresh();
    const [delivered] = await ended(1);
    const [exhausted] = await ended(1, ENDS.exhausted);
    const later = idTime(exhausted?.delivery ?? '') + 60_000;
    const two = { actions: ['A', 'B'], payload: '{"Action":"A"}\u001e{"Action":"B"}' };
    const id = newId(later);
    const [picked] = await accept(1, { id, picks: [1] }, two);
    assert.ok(picked);
    const { event } = picked;
    await end([{ event, delivery: id }]);
    const early = [delivered?.delivery, exhausted?.delivery];
    assert.deepEqual(await found({}), [...early, id]);
    assert.deepEqual(await found({ states: ['exhausted'] }), [exhausted?.delivery]);
    assert.deepEqual(await found({ to: later }), early);
    assert.deepEqual(await found({ from: later }), [id]);
    assert.deepEqual(await found({ filters: ['b'] }), [id]);
    assert.deepEqual(await found({ deliveries: [exhausted?.delivery ?? '', 'unknown'] }), [
      exhausted?.delivery,
    ]);
    const { items } = await store.candidates(jobOf({ from: later }), { limit: 9, texts: true });
    const notifications = ['{"Action":"A"}', '{"Action":"B"}'];
    const carried = { picks: [1], actions: ['A', 'B'], notifications };
    assert.deepEqual(items, [{ id, eventId: event, replayOf: id, ...carried }]);
  });

  test('a replay is narrowed by a subject of what was carried', async () => {
    fresh();
    const paths = { a: [{ kind: 'learner', path: 'User' }] } as const;
    const payload = '{"Action":"A","User":"ana"}\u001e{"Action":"A","User":"ben"}';
    const both = { actions: ['A', 'A'], payload };
    const [ana] = await accept(1, { picks: [0] }, both);
    const ben = await accept(1, { picks: [1] }, both);
    await end([...ben, ...(ana === undefined ? [] : [ana])]);
    while ((await store.index(paths, 100)) > 0);
    assert.deepEqual(await found({ subject: 'ana' }), [ana?.delivery]);
    assert.deepEqual(await found({ subject: 'nobody' }), []);
  });

  test('a backfill finds the events of which nothing was ever on its way to the registration, oldest first', async () => {
    fresh();
    await ended(1);
    await accept(1);
    await accept(1, { state: 'held' });
    const missed = await accept(3, { registrationId: 'other' });
    await end(missed.slice(0, 1));
    const job = await insert({ from: 0 }, { kind: 'backfill' });
    const { items, next } = await store.candidates(job, { limit: 2, texts: true });
    const whole = { replayOf: null, picks: null, actions: ['A'] };
    assert.deepEqual(
      items,
      missed.slice(0, 2).map(({ event: id }) => {
        return { id, eventId: id, ...whole, notifications: ['{"Action":"A"}'] };
      }),
    );
    assert.equal(next, missed[1]?.event);
    await store.stepJob(stepOf(job, items, next));
    const rest = await store.candidates({ ...job, cursor: next }, { limit: 2, texts: true });
    assert.deepEqual([rest.items.map(({ id }) => id), rest.next], [[missed[2]?.event], null]);
    const [row] = await store.deliveries({ tenant, registrationId: 'r', limit: 1 });
    assert.deepEqual([row?.eventId, row?.jobId, row?.replayOf], [missed[1]?.event, job.id, null]);
    const again = await store.candidates(jobOf({ from: 0 }, { kind: 'backfill' }), {
      limit: 9,
      texts: true,
    });
    assert.deepEqual(
      again.items.map(({ id }) => id),
      [missed[2]?.event],
    );
  });

  test('a step makes its deliveries and moves the job on, once', async () => {
    fresh();
    const made = await ended(3);
    const job = await insert();
    const { items, next } = await store.candidates(job, { limit: 2, texts: false });
    assert.equal(items.length, 2);
    assert.equal(next, made[1]?.delivery);
    const steps = [stepOf(job, items, next), stepOf(job, items, next)];
    const went = await Promise.all(steps.map((each) => store.stepJob(each)));
    assert.equal(went.filter(Boolean).length, 1);
    const step = steps[went.indexOf(true)];
    const now = await store.job(tenant, job.id);
    assert.deepEqual([now?.state, now?.done, now?.cursor], ['running', 2, made[1]?.delivery]);
    const rest = await store.candidates(now ?? job, { limit: 2, texts: false });
    assert.deepEqual(
      rest.items.map(({ replayOf }) => replayOf),
      [made[2]?.delivery],
    );
    const claimed = await claim();
    assert.deepEqual(
      claimed.map(({ id, eventId, replayOf }) => ({ id, eventId, replayOf })),
      step?.deliveries.map(({ id, eventId, replayOf }) => ({ id, eventId, replayOf })),
    );
    assert.deepEqual(claimed[0]?.notifications, ['{"Action":"A"}']);
  });

  test('a job that is paused or cancelled makes nothing', async () => {
    fresh();
    await ended(1);
    const job = await insert();
    const { items } = await store.candidates(job, { limit: 2, texts: false });
    await move(job.id, ['running'], 'paused');
    assert.equal(await store.stepJob(stepOf(job, items, null)), false);
    assert.deepEqual(await claim(), []);
    assert.equal((await store.job(tenant, job.id))?.done, 0);
  });

  test('the last step ends the job, and what it asked for about a person goes', async () => {
    fresh();
    await ended(1);
    const job = await insert({ subject: 'ana' });
    const { items } = await store.candidates(jobOf(), { limit: 2, texts: false });
    const gone = { ...items[0], eventId: newId(NOW) } as Candidate;
    assert.equal(await store.stepJob(stepOf(job, [...items, gone], null)), true);
    const now = await store.job(tenant, job.id);
    assert.deepEqual([now?.state, now?.endedAt, now?.done], ['done', NOW, 1]);
    assert.equal(now?.selection.subject, null);
    const cancelled = await insert({ subject: 'ana' });
    await move(cancelled.id, ['running'], 'cancelled');
    assert.equal((await store.job(tenant, cancelled.id))?.selection.subject, null);
  });

  test('a repeated delivery says so in every state, and is repeated itself only where it is chosen', async () => {
    fresh();
    const [original] = await ended(1);
    const job = await insert();
    const { items } = await store.candidates(job, { limit: 2, texts: false });
    const step = stepOf(job, items, null);
    await store.stepJob(step);
    const id = step.deliveries[0]?.id ?? '';
    const repeats = [job.id, original?.delivery];
    const row = async () => {
      const { jobId, replayOf, state } = (await store.delivery(tenant, id))?.row ?? {};
      return [jobId, replayOf, state];
    };
    assert.deepEqual(await row(), [...repeats, 'pending']);
    const [listed] = await store.deliveries({ tenant, limit: 1 });
    assert.equal(listed?.id, id);
    await end([{ event: '', delivery: id }]);
    assert.deepEqual(await row(), [...repeats, 'delivered']);
    assert.deepEqual(await found({}), [original?.delivery]);
    assert.deepEqual(await found({ deliveries: [id] }), [original?.delivery]);
    await store.retry(tenant, id, NOW);
    assert.deepEqual(await row(), [...repeats, 'pending']);
    await store.cancel(tenant, id, NOW);
    assert.deepEqual(await row(), [...repeats, 'cancelled']);
    const first = (await store.delivery(tenant, original?.delivery ?? ''))?.row;
    assert.deepEqual([first?.jobId, first?.replayOf], [null, null]);
    await store.retry(tenant, id, NOW);
    const place = { tenant, registrationId: 'r', from: 'pending', now: NOW, limit: 10 } as const;
    await store.move({ ...place, to: 'cancelled', reason: null });
    assert.deepEqual(await row(), [...repeats, 'cancelled']);
  });

  test('what is made goes behind all that has an order, one after another', async () => {
    fresh();
    await ended(2);
    const [waiting] = await accept(1, { orderKeys: ['k'] });
    const job = await insert();
    const { items } = await store.candidates(job, { limit: 5, texts: false });
    const step = stepOf(job, items, null);
    const deliveries = step.deliveries.map((one) => ({ ...one, orderKeys: ['k'] }));
    await store.stepJob({ ...step, deliveries });
    await accept(1, { orderKeys: ['k'] });
    assert.deepEqual(
      [await store.behind(tenant, 'r', 10), await store.behind(tenant, 'r', 2)],
      [3, 2],
    );
    const sent: Id[] = [];
    for (let claimed = await claim(); claimed.length > 0; claimed = await claim()) {
      assert.equal(claimed.length, 1);
      sent.push(claimed[0]?.id ?? '');
      await store.cancel(tenant, claimed[0]?.id ?? '', NOW);
    }
    assert.deepEqual(sent.slice(0, 3), [waiting?.delivery, ...deliveries.map(({ id }) => id)]);
    assert.equal(sent.length, 4);
  });

  test('what is held is read newest first, and cancelled by ids as long as it is held', async () => {
    fresh();
    const ref = { tenant, id: 'r' };
    const order = { orderKeys: ['k'] };
    const held = await accept(501, { state: 'held', ...order });
    const [waiting] = await accept(1, order);
    await accept(1, { state: 'held', registrationId: 'other' });
    const newest = held.map(({ delivery }) => delivery).toReversed();
    const first = await store.held(ref, null);
    assert.deepEqual(
      first.items.map(({ id }) => id),
      newest.slice(0, 500),
    );
    assert.deepEqual(first.items[0]?.notifications, ['{"Action":"A"}']);
    assert.deepEqual(first.items[0]?.actions, ['A']);
    const rest = await store.held(ref, first.next);
    assert.deepEqual([rest.items.map(({ id }) => id), rest.next], [newest.slice(500), null]);
    assert.deepEqual((await store.held({ tenant: 'foreign', id: 'r' }, null)).items, []);

    const numbered = await store.delivery(tenant, newest[0] ?? '');
    const ids = [...newest, waiting?.delivery ?? ''];
    const cancellation = { ids, reason: 'so', now: NOW };
    assert.equal(await store.cancelHeld({ tenant, id: 'other' }, cancellation), 0);
    assert.equal(await store.cancelHeld(ref, cancellation), 501);
    assert.equal(await store.cancelHeld(ref, cancellation), 0);
    const row = (await store.delivery(tenant, newest[0] ?? ''))?.row;
    assert.deepEqual([row?.state, row?.reason, row?.endedAt], ['cancelled', 'so', NOW]);
    assert.deepEqual(row?.sequence, numbered?.row.sequence);
    assert.deepEqual(
      (await claim()).map(({ id }) => id),
      [waiting?.delivery],
      'what was behind them moves up',
    );
  });

  test('old jobs are pruned, unfinished ones never, and a tenant takes its own with it', async () => {
    fresh();
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
    const old = await insert();
    const { id } = await insert();
    await move(old.id, ['running'], 'cancelled');
    assert.ok((await store.pruneJobs(NOW + 1, 100)) >= 1);
    assert.deepEqual(
      (await store.jobs({ tenant, limit: 10 })).map((job) => job.id),
      [id],
    );
    await store.deleteTenant(tenant);
    assert.deepEqual(await store.jobs({ tenant, limit: 10 }), []);
  });
}
