import assert from 'node:assert/strict';
import fc from 'fast-check';
import { attemptOf } from '../../core/testing/attempt.ts';
import { DELIVERY_STATES, type DeliveryState } from '../../core/delivery.ts';
import { explain } from '../../core/explain.ts';
import { type Id, idTime, newId } from '../../core/id.ts';
import type { Job } from '../../core/job.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import type { LogQuery, NewEvent, NextState, Store } from '../port.ts';

export const NOW = Date.UTC(2026, 8, 1);
export const PATHS: SubjectPaths = {
  enrolled: [
    { kind: 'learner', path: 'Users[].Email' },
    { kind: 'course', path: 'Course' },
  ],
};

export const answered = (status: number): Outcome => ({
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
export type Known = {
  readonly id: Id;
  readonly eventId: Id;
  readonly registrationId: Id;
  readonly state: DeliveryState;
  readonly outcome: Outcome | null;
  readonly actions: readonly string[];
  readonly subjects: readonly string[];
  readonly picks: readonly number[] | null;
};

export async function indexAll(store: Store): Promise<void> {
  while ((await store.index(PATHS, 100)) >= 100);
}

export function eventOf(
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

export function jobOf(tenant: string, registrationId = 'r1'): Job {
  const everything = { from: null, to: null, states: null, filters: null };
  return {
    id: newId(NOW),
    tenant,
    registrationId,
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

export function settlementOf(tenant: string, deliveryId: Id, outcome: Outcome, next?: NextState) {
  return {
    tenant,
    ordered: false,
    deliveryId,
    next: next ?? { state: 'exhausted' as const, reason: 'used up' },
    attempt: attemptOf({ deliveryId, startedAt: NOW, outcome }),
  };
}

/** A few dozen events with deliveries of all kinds, the same in each tenant. */
export async function seed(store: Store, tenant: string): Promise<readonly Known[]> {
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
        picks: each.picks,
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

/** What jobs make of these deliveries: some are sent again, to the same registration or another one. */
export async function sendAgain(
  store: Store,
  tenant: string,
  sent: readonly Known[],
): Promise<readonly Known[]> {
  const known: Known[] = [];
  const whole = sent.filter(({ picks }) => picks === null);
  for (const registrationId of ['r1', 'r3']) {
    // Multiplied by a prime, so that they come in no order of their events.
    const mixed = whole.map((_, n) => whole[(n * 31) % whole.length]);
    const again = mixed.filter((each) => each !== undefined).slice(0, whole.length / 3);
    const made = again.map((each) => ({ ...each, id: newId(NOW), registrationId }));
    const job = jobOf(tenant, registrationId);
    await store.insertJob(job, 1);
    const deliveries = made.map(({ id, eventId }) => {
      return { id, eventId, replayOf: null, picks: null, orderKeys: null };
    });
    const step = { tenant, id: job.id, registrationId, cursor: null, next: null, deliveries };
    assert.equal(await store.stepJob({ ...step, now: NOW }), true);
    for (const [n, each] of made.entries()) {
      const settled = await settleOne(store, { tenant, id: each.id, n, state: 'pending' });
      known.push({ ...each, ...settled });
    }
  }
  return known;
}

const CROWD = 4000;
const CROWD_AT_ONCE = 1000;

/** Thousands of events of few courses and learners with a delivery each: one in ten did not arrive. */
export async function seedCrowd(store: Store, tenant: string): Promise<readonly Known[]> {
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
      picks: null,
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

export type Asked = Omit<LogQuery, 'tenant'>;

export function queries(known: readonly Known[], atMost = 3): fc.Arbitrary<Asked> {
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

/** `at`: what its time is said by, which of an event that is looked for is the event's. */
export function isMeant(each: Known, query: Asked, at: Id = each.id): boolean {
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
    from === undefined || idTime(at) >= from,
    to === undefined || idTime(at) < to,
  ].every(Boolean);
}

export function newestFirst(ids: readonly Id[]): Id[] {
  return [...new Set(ids)].toSorted().toReversed();
}

export async function pages(
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
