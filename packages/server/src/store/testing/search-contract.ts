import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { explain } from '../../core/explain.ts';
import { type Id, idTime, newId } from '../../core/id.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { Store } from '../port.ts';
import {
  answered,
  eventOf,
  indexAll,
  isMeant,
  jobOf,
  newestFirst,
  NOW,
  pages,
  PATHS,
  queries,
  seed,
  seedCrowd,
  sendAgain,
  settlementOf,
} from './searched.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** Looking up the log: a part of the store's contract. */
export function searchContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  test('whatever is looked for, page by page, is what there is of it, newest first', async () => {
    const known = [...(await seed(store, 'one')), ...(await seed(store, 'two'))];
    await indexAll(store);
    await fc.assert(
      fc.asyncProperty(queries(known), fc.integer({ min: 1, max: 7 }), async (query, limit) => {
        const tenant = 'one';
        const mine = known.slice(0, known.length / 2).filter((each) => isMeant(each, query));
        const found = await pages((before) =>
          store.deliveries({ tenant, limit, ...query, ...before }),
        );
        assert.deepEqual(found, newestFirst(mine.map(({ id }) => id)));
        const events = await pages((before) =>
          store.events({ tenant, limit, ...query, ...before }),
        );
        assert.deepEqual(events, newestFirst(mine.map(({ eventId }) => eventId)));
        const counted = await store.countDeliveries({ tenant, ...query });
        assert.deepEqual(counted, { count: found.length, isExact: true });
        const counts = await store.countEvents({ tenant, ...query });
        assert.deepEqual(counts, { count: events.length, isExact: true });
      }),
      { numRuns: 250 },
    );
  });

  test('what is frequent and seldom meets is found among thousands, each once', async () => {
    const tenant = 'crowd';
    const known = await seedCrowd(store, tenant);
    await indexAll(store);
    const limits = fc.constantFrom(20, 51, 300);
    await fc.assert(
      fc.asyncProperty(queries(known, 2), limits, async (query, limit) => {
        const mine = known.filter((each) => isMeant(each, query));
        const asked = { tenant, limit, ...query };
        const found = await pages((before) => store.deliveries({ ...asked, ...before }), 3);
        assert.deepEqual(found, newestFirst(mine.map(({ id }) => id)).slice(0, 3 * limit));
        const events = await pages((before) => store.events({ ...asked, ...before }), 3);
        const theirs = newestFirst(mine.map(({ eventId }) => eventId));
        assert.deepEqual(events, theirs.slice(0, 3 * limit));
        const counted = await store.countDeliveries({ tenant, ...query });
        assert.deepEqual(counted, { count: mine.length, isExact: true });
      }),
      { numRuns: 50 },
    );
  });

  test('a row of the log tells what its last attempt came to', async () => {
    await seed(store, 'told');
    const rows = await store.deliveries({ tenant: 'told', status: 401, limit: 1 });
    const { class: kind, sentence } = explain(answered(401));
    assert.deepEqual(rows[0]?.outcome, { class: kind, status: 401, sentence });
    const [expired] = await store.deliveries({ tenant: 'told', text: 'HAS EXPIRED', limit: 1 });
    assert.deepEqual([expired?.outcome?.class, expired?.outcome?.status], ['tls_error', null]);
    const [never] = await store.deliveries({ tenant: 'told', state: 'held', limit: 1 });
    assert.equal(never?.outcome, null);
  });

  test('words are looked for as they are, not as patterns', async () => {
    await seed(store, 'words');
    for (const text of ['%', '_', String.raw`\ `, "'"]) {
      assert.deepEqual(await store.deliveries({ tenant: 'words', text, limit: 1 }), [], text);
    }
  });

  test('an event is found by its subjects in any case of an address, once it was looked over', async () => {
    const tenant = 'subjects';
    await indexAll(store);
    const made = eventOf(tenant, [
      ['Enrolled', { Users: [{ Email: 'Ana@School.example' }], Course: 'aB' }],
    ]);
    await store.accept([{ events: [made], idempotency: null }]);
    const find = async (subject: string): Promise<number> =>
      (await store.events({ tenant, subject, limit: 5 })).length;
    assert.equal(await find('ana@school.example'), 0);
    assert.equal(await store.index(PATHS, 100), 1);
    assert.equal(await store.index(PATHS, 100), 0);
    assert.equal(await find('ANA@school.EXAMPLE'), 1);
    assert.equal(await find('aB'), 1);
    assert.equal(await find('ab'), 0);
    assert.deepEqual(await store.events({ tenant: 'other', subject: 'aB', limit: 5 }), []);
  });

  test('an event that is looked over by two at once is found once, by all keys and those of single notifications', async () => {
    const tenant = 'twice';
    await indexAll(store);
    const made = eventOf(tenant, [
      ['Enrolled', { Users: [{ Email: 'ana@school.example' }], Course: 'c' }],
      ['Enrolled', { Users: [{ Email: 'ben@school.example' }], Course: 'c' }],
    ]);
    await store.accept([{ events: [made], idempotency: null }]);
    await Promise.all([store.index(PATHS, 100), store.index(PATHS, 100)]);
    for (const subject of ['ana@school.example', 'ben@school.example', 'c']) {
      const found = await store.events({ tenant, subject, limit: 5 });
      assert.deepEqual(
        found.map(({ id }) => id),
        [made.id],
        subject,
      );
    }
    assert.equal(await store.index(PATHS, 100), 0);
  });

  test('nothing is found by an event that was removed', async () => {
    const tenant = 'removed';
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
    await seed(store, tenant);
    await indexAll(store);
    await store.deleteTenant(tenant);
    assert.deepEqual(await store.countEvents({ tenant, subject: 'ana@x' }), {
      count: 0,
      isExact: true,
    });
    await seed(store, tenant);
    assert.deepEqual(await store.events({ tenant, subject: 'ana@x', limit: 5 }), []);
    await indexAll(store);
    assert.ok((await store.events({ tenant, subject: 'ana@x', limit: 5 })).length > 0);
  });

  test('what was sent again is found where it belongs by its time, however old its event', async () => {
    const tenant = 'again';
    const start = idTime(newId(NOW)) + 100_000;
    const events = Array.from({ length: 130 }, (_, n) =>
      eventOf(tenant, [['Enrolled', { Course: n % 2 === 0 ? 'c' : 'd' }]], start + n),
    );
    await store.accept([{ events, idempotency: null }]);
    await indexAll(store);
    const made = events.slice(0, 4).map(({ id: eventId }) => {
      return { id: newId(start + 300), eventId, replayOf: null, picks: null, orderKeys: null };
    });
    const job = jobOf(tenant);
    await store.insertJob(job, 1);
    const { id, registrationId } = job;
    const step = { tenant, id, registrationId, cursor: null, next: null, deliveries: made };
    assert.equal(await store.stepJob({ ...step, now: start }), true);
    const wanted = [
      ...events.map((each) => each.deliveries[0]?.id ?? ''),
      ...made.map(({ id }) => id),
    ];
    const ofCourse = wanted
      .filter((_, n) => n % 2 === 0)
      .toSorted()
      .toReversed();
    const found: Id[] = [];
    for (let before: { before?: Id } = {}; ;) {
      const page = await store.deliveries({ tenant, subject: 'c', limit: 20, ...before });
      found.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      if (last === undefined) break;
      before = { before: last.id };
    }
    assert.deepEqual(found, ofCourse);
    assert.equal((await store.countDeliveries({ tenant, subject: 'c' })).count, ofCourse.length);
    const theirs = events.filter((_, n) => n % 2 === 0).map((each) => each.id);
    const seen: Id[] = [];
    for (let before: { before?: Id } = {}; ;) {
      const asked = { tenant, subject: 'c', state: 'pending', limit: 20 } as const;
      const page = await store.events({ ...asked, ...before });
      seen.push(...page.map((each) => each.id));
      const last = page.at(-1);
      if (last === undefined) break;
      before = { before: last.id };
    }
    assert.deepEqual(seen, theirs.toReversed());
  });

  test('events are found in their order page by page, whatever jobs made of them later', async () => {
    const tenant = 'replayed';
    const first = await seed(store, tenant);
    const known = [...first, ...(await sendAgain(store, tenant, first))];
    known.push(...(await seed(store, tenant)));
    known.push(...(await sendAgain(store, tenant, known)));
    await indexAll(store);
    const limits = fc.constantFrom(1, 2, 3, 50);
    await fc.assert(
      fc.asyncProperty(queries(known, 2), limits, async (query, limit) => {
        const mine = known.filter((each) => isMeant(each, query, each.eventId));
        const wanted = newestFirst(mine.map(({ eventId }) => eventId));
        const asked = { tenant, ...query };
        const found = await pages((below) => store.events({ ...asked, limit, ...below }));
        assert.deepEqual(found, wanted);
        const counted = await store.countEvents(asked);
        assert.deepEqual(counted, { count: wanted.length, isExact: true });
      }),
      { numRuns: 150 },
    );
  });

  test('no more than ten thousand are counted', async () => {
    const tenant = 'many';
    const events = Array.from({ length: 10_001 }, () => eventOf(tenant, [['A', {}]]));
    await store.accept([{ events: events.slice(0, 10_000), idempotency: null }]);
    assert.deepEqual(await store.countEvents({ tenant }), { count: 10_000, isExact: true });
    await store.accept([{ events: events.slice(10_000), idempotency: null }]);
    assert.deepEqual(await store.countEvents({ tenant }), { count: 10_000, isExact: false });
    const registrationId = 'r1';
    assert.deepEqual(await store.countDeliveries({ tenant, registrationId }), {
      count: 10_000,
      isExact: false,
    });
  });

  test('a tenant whose receivers answer ever new sentences keeps a bounded number of them', async () => {
    const tenant = 'sentences';
    const events = Array.from({ length: 1100 }, () => eventOf(tenant, [['A', {}]]));
    await store.accept([{ events, idempotency: null }]);
    const ids = events.map(({ deliveries }) => deliveries[0]?.id ?? '');
    const settled = ids.map((id, n) =>
      settlementOf(tenant, id, {
        ...answered(302),
        response: { headers: [['location', `https://x.example/${n}`]], body: '', truncated: false },
      } as Outcome),
    );
    await store.settle(settled);
    assert.equal((await store.countDeliveries({ tenant, status: 302 })).count, 1100);
    const kept = await store.countDeliveries({ tenant, text: 'x.example' });
    assert.deepEqual(kept, { count: 1000, isExact: true });
  });
}
