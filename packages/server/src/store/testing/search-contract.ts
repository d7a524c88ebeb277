import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { DELIVERY_STATES, type DeliveryState } from '../../core/delivery.ts';
import { explain } from '../../core/explain.ts';
import { type Id, idTime, newId } from '../../core/id.ts';
import type { Job } from '../../core/job.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import type { LogQuery, NewEvent, NextState, Store } from '../port.ts';

const NOW = Date.UTC(2026, 8, 1);
const PATHS: SubjectPaths = {
  enrolled: [
    { kind: 'learner', path: 'Users[].Email' },
    { kind: 'course', path: 'Course' },
  ],
};

const answered = (status: number): Outcome => ({
  kind: 'response',
  status,
  response: { headers: [], body: '', truncated: false },
});
const OUTCOMES: readonly Outcome[] = [
  answered(200),
  answered(401),
  answered(404),
  answered(503),
  { kind: 'tls_error', code: 'CERT_HAS_EXPIRED' },
  { kind: 'timeout', phase: 'response', afterMs: 15_000 },
];

/** What a test knows of one delivery, to say by itself what a look-up must find. */
type Known = {
  readonly id: Id;
  readonly eventId: Id;
  readonly registrationId: Id;
  readonly state: DeliveryState;
  readonly outcome: Outcome | null;
  readonly actions: readonly string[];
  readonly subjects: readonly string[];
};

/** Looking up the log: a part of the store's contract. */
export function searchContract(
  open: () => Promise<{ store: Store; done: () => Promise<void> }>,
): void {
  let store: Store;
  let done: () => Promise<void>;
  before(async () => {
    ({ store, done } = await open());
  });
  after(() => done());

  const indexAll = async (): Promise<void> => {
    while ((await store.index(PATHS, 100)) === 100);
  };

  test('whatever is looked for, page by page, is what there is of it, newest first', async () => {
    const known = [...(await seed(store, 'one')), ...(await seed(store, 'two'))];
    await indexAll();
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
    await indexAll();
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
    await indexAll();
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

  test('nothing is found by an event that was removed', async () => {
    const tenant = 'removed';
    await store.insertTenant({ id: tenant, name: tenant, createdAt: NOW, maxPending: null });
    await seed(store, tenant);
    await indexAll();
    await store.deleteTenant(tenant);
    assert.deepEqual(await store.countEvents({ tenant, subject: 'ana@x' }), {
      count: 0,
      isExact: true,
    });
    await seed(store, tenant);
    assert.deepEqual(await store.events({ tenant, subject: 'ana@x', limit: 5 }), []);
    await indexAll();
    assert.ok((await store.events({ tenant, subject: 'ana@x', limit: 5 })).length > 0);
  });

  test('what was sent again is found where it belongs by its time, however old its event', async () => {
    const tenant = 'again';
    const start = idTime(newId(NOW)) + 100_000;
    const events = Array.from({ length: 130 }, (_, n) =>
      eventOf(tenant, [['Enrolled', { Course: n % 2 === 0 ? 'c' : 'd' }]], start + n),
    );
    await store.accept([{ events, idempotency: null }]);
    await indexAll();
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

function eventOf(
  tenant: string,
  notifications: readonly (readonly [string, object])[],
  at = NOW,
): NewEvent {
  const id = newId(at);
  return {
    id,
    tenant,
    acceptedAt: idTime(id),
    occurredAt: null,
    payload: notifications
      .map(([Action, rest]) => JSON.stringify({ Action, ...rest }))
      .join('\u001e'),
    actions: notifications.map(([action]) => action),
    deliveries: [
      {
        id: newId(NOW),
        registrationId: 'r1',
        state: 'pending',
        leased: false,
        picks: null,
        orderKeys: null,
      },
    ],
  };
}

function jobOf(tenant: string): Job {
  const everything = { from: null, to: null, states: null, filters: null };
  return {
    id: newId(NOW),
    tenant,
    registrationId: 'r1',
    kind: 'backfill',
    state: 'running',
    reason: null,
    selection: { ...everything, subject: null, deliveries: null },
    rate: 50,
    createdAt: NOW,
    endedAt: null,
    total: null,
    done: 0,
    cursor: null,
  };
}

function settlementOf(tenant: string, deliveryId: Id, outcome: Outcome, next?: NextState) {
  return {
    tenant,
    ordered: false,
    deliveryId,
    next: next ?? { state: 'exhausted' as const, reason: 'used up' },
    attempt: {
      deliveryId,
      number: 1,
      startedAt: NOW,
      durationMs: 1,
      outcome,
      requestHeaders: [],
      signedBy: { ms: '#1', standard: ['#1'] },
    },
  };
}

/** A few dozen events with deliveries of all kinds, the same in each tenant. */
async function seed(store: Store, tenant: string): Promise<readonly Known[]> {
  const known: Known[] = [];
  const start = idTime(newId(NOW)) + 1000;
  for (let n = 0; n < 48; n += 1) {
    const second = n % 4 === 0;
    const users = [{ Email: n % 3 === 0 ? 'ana@x' : 'ben@x' }];
    const at = start + n * 1000;
    const notifications = [
      [n % 6 === 5 ? 'Other' : 'Enrolled', { Users: users, Course: `c${n % 5}` }],
      ...(second ? ([['Enrolled', { Users: [{ Email: 'cem@x' }] }]] as const) : []),
    ] as const;
    const made = eventOf(tenant, notifications, at);
    const deliveries = Array.from({ length: 1 + (n % 3) }, (_, d) => ({
      id: newId(at),
      registrationId: `r${(n + d) % 4}`,
      state: n % 11 === 0 ? ('held' as const) : ('pending' as const),
      leased: false,
      picks: second && d === 1 ? [1] : null,
      orderKeys: null,
    }));
    await store.accept([{ events: [{ ...made, deliveries }], idempotency: null }]);
    for (const [d, each] of deliveries.entries()) {
      const settled = await settleOne(store, { tenant, id: each.id, n: n + d, state: each.state });
      const carried = each.picks ?? (second ? [0, 1] : [0]);
      known.push({
        ...settled,
        id: each.id,
        eventId: made.id,
        registrationId: each.registrationId,
        actions: carried.map((pick) => made.actions[pick] ?? ''),
        subjects: carried.flatMap((pick) => {
          if (made.actions[pick] !== 'Enrolled') return [];
          return pick === 1 ? ['cem@x'] : [users[0]?.Email ?? '', `c${n % 5}`];
        }),
      });
    }
  }
  return known;
}

const CROWD = 4000;
const CROWD_AT_ONCE = 1000;

/** Thousands of events of few courses and learners with a delivery each: one in ten did not arrive. */
async function seedCrowd(store: Store, tenant: string): Promise<readonly Known[]> {
  const known: Known[] = [];
  const start = idTime(newId(NOW)) + 1000;
  let events: NewEvent[] = [];
  for (let n = 0; n < CROWD; n += 1) {
    // Multiplied by a prime and folded, so that what a delivery is about says nothing of its fate.
    const mixed = ((n + 1) * 7919) % 9973;
    const [email, course] = [['ana@x', 'ben@x'][mixed % 2] ?? '', `c${mixed % 3}`];
    const action = mixed % 5 === 0 ? 'Other' : 'Enrolled';
    const fate = (n * 31) % 100;
    const at = start + n * 1000;
    const state = fate === 0 ? ('held' as const) : ('pending' as const);
    const registrationId = `r${mixed % 7}`;
    const made = eventOf(tenant, [[action, { Users: [{ Email: email }], Course: course }]], at);
    const delivery = { leased: false, picks: null, orderKeys: null };
    const id = newId(at);
    events.push({ ...made, deliveries: [{ ...delivery, id, registrationId, state }] });
    const outcome = fate === 0 ? null : (OUTCOMES[fate < OUTCOMES.length ? fate : 0] ?? null);
    known.push({
      id,
      eventId: made.id,
      registrationId,
      state: fate === 0 ? 'held' : fate < OUTCOMES.length ? 'exhausted' : 'delivered',
      outcome,
      actions: [action],
      subjects: action === 'Enrolled' ? [email, course] : [],
    });
    if (events.length < CROWD_AT_ONCE) continue;
    await store.accept([{ events, idempotency: null }]);
    events = [];
  }
  const settled = known.flatMap(({ id, state, outcome }) =>
    outcome === null ? [] : [settlementOf(tenant, id, outcome, endOf(state))],
  );
  for (let n = 0; n < settled.length; n += CROWD_AT_ONCE)
    await store.settle(settled.slice(n, n + CROWD_AT_ONCE));
  return known;
}

function endOf(state: DeliveryState): NextState {
  return state === 'delivered'
    ? { state, reason: null }
    : { state: 'exhausted', reason: 'used up' };
}

async function settleOne(
  store: Store,
  { tenant, id, n, state }: { tenant: string; id: Id; n: number; state: 'pending' | 'held' },
): Promise<Pick<Known, 'state' | 'outcome'>> {
  if (state === 'held' || n % 7 === 0) return { state, outcome: null };
  const outcome = OUTCOMES[n % OUTCOMES.length] ?? answered(200);
  const next: NextState =
    n % OUTCOMES.length === 0
      ? { state: 'delivered', reason: null }
      : n % 2 === 0
        ? { state: 'exhausted', reason: 'used up' }
        : { state: 'pending', dueAt: NOW + 1, step: 1 };
  await store.settle([settlementOf(tenant, id, outcome, next)]);
  if (n % 13 !== 0 || next.state !== 'pending') return { state: next.state, outcome };
  await store.cancel(tenant, id, NOW);
  return { state: 'cancelled', outcome };
}

type Asked = Omit<LogQuery, 'tenant'>;

function queries(known: readonly Known[], atMost = 3): fc.Arbitrary<Asked> {
  const times = [...new Set(known.map(({ id }) => idTime(id)))];
  assert.ok(times.length > 40, 'the times differ');
  const values = fc.record({
    subject: fc.constantFrom('ana@x', 'ben@x', 'CEM@X', 'c1', 'nobody'),
    action: fc.constantFrom('enrolled', 'Other', 'None'),
    registrationId: fc.constantFrom('r0', 'r1', 'r2', 'r3', 'r4'),
    state: fc.constantFrom(...DELIVERY_STATES),
    outcome: fc.constantFrom('http_2xx', 'http_4xx', 'tls_error', 'timeout'),
    status: fc.constantFrom(200, 401, 404, 503),
    text: fc.constantFrom('receiver', 'EXPIRED', 'credentials'),
    from: fc.constantFrom(...times),
    to: fc.constantFrom(...times),
  });
  // Few at a time: what asks for everything at once finds nothing, whatever the store does.
  const names = fc.subarray([...NAMES], { maxLength: atMost });
  return fc
    .tuple(names, values)
    .map(([given, all]) => Object.fromEntries(given.map((name) => [name, all[name]])));
}

const NAMES = [
  'subject',
  'action',
  'registrationId',
  'state',
  'outcome',
  'status',
  'text',
  'from',
  'to',
] as const;

function isMeant(each: Known, query: Asked): boolean {
  const { subject, action, registrationId, state, outcome, status, text, from, to } = query;
  const told = each.outcome === null ? undefined : explain(each.outcome);
  const had = each.outcome?.kind === 'response' ? each.outcome.status : undefined;
  return [
    subject === undefined || each.subjects.includes(subject.toLowerCase()),
    action === undefined ||
      each.actions.some((name) => name.toLowerCase() === action.toLowerCase()),
    registrationId === undefined || each.registrationId === registrationId,
    state === undefined || each.state === state,
    outcome === undefined || told?.class === outcome,
    status === undefined || had === status,
    text === undefined || told?.sentence.toLowerCase().includes(text.toLowerCase()) === true,
    from === undefined || idTime(each.id) >= from,
    to === undefined || idTime(each.id) < to,
  ].every(Boolean);
}

function newestFirst(ids: readonly Id[]): Id[] {
  return [...new Set(ids)].toSorted().toReversed();
}

async function pages(
  read: (before: { before?: Id }) => Promise<readonly { readonly id: Id }[]>,
  atMost = Infinity,
): Promise<Id[]> {
  const ids: Id[] = [];
  for (let number = 0; number < atMost; number += 1) {
    const last = ids.at(-1);
    const page = await read(last === undefined ? {} : { before: last });
    if (page.length === 0) return ids;
    ids.push(...page.map(({ id }) => id));
  }
  return ids;
}
