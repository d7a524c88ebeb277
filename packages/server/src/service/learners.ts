import { type AuditEntry, auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Attempt } from '../core/attempt.ts';
import type { Clock } from '../core/clock.ts';
import { type Id, newId } from '../core/id.ts';
import type { RegistrationRef } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';
import { subjectKey } from '../core/subjects.ts';
import type { Waiting } from '../engine/waiting.ts';
import type {
  Erasure,
  ErasureStep,
  EventErasure,
  LearnerEvent,
  LearnerQuery,
  OpenDelivery,
  Store,
} from '../store/port.ts';
import type { Indexer } from './indexer.ts';
import type { ErasureReceipt, KeptDelivery, KeptEvent, Learners } from './library.ts';
import type { Privacy } from './privacy.ts';

export type LearnersDeps = {
  readonly store: Pick<
    Store,
    | 'learnerEvents'
    | 'deliveries'
    | 'attempts'
    | 'erase'
    | 'eraseMarked'
    | 'release'
    | 'scrub'
    | 'note'
  >;
  readonly index: Pick<Indexer, 'caughtUp'>;
  readonly privacy: Shown;
  readonly clock: Clock;
  readonly sealer: Pick<Sealer, 'digestOf'>;
  readonly engine: {
    readonly wake: (ref: RegistrationRef) => void;
    readonly drop: (ref: RegistrationRef, deliveryId: Id) => void;
    readonly takeBack: (ref: RegistrationRef, deliveryId: Id) => boolean;
    readonly waiting: Pick<Waiting, 'moved'>;
  };
};

type Shown = Pick<Privacy, 'mask' | 'maskAnswers'>;

/** For who may hand a person everything that is kept. */
const WHOLE: Shown = { mask: (event) => event, maskAnswers: (_event, attempts) => attempts };

export type LearnersService = Learners & {
  /** Erases what earlier erasures waited for, as far as it has ended. */
  readonly finishErasures: () => Promise<void>;
};

/** Events and deliveries read at once. */
const READ_STEP = 16;
/** Events erased in one step: others' writes pass between. */
const ERASE_STEP = 20;
/** Scrubbing waits for readers, who are done in a moment. */
const SCRUB_TRIES = 5;
const SCRUB_AGAIN_MS = 200;

/** What is kept about one learner, to be shown or erased. */
export function createLearners(deps: LearnersDeps): LearnersService {
  return {
    kept: async (tenant, learner, by = SERVICE) => {
      const target = nameOf(deps, tenant, learner);
      await deps.store.note(noteOf(deps, by, { tenant, target, what: 'learner exported' }));
      await deps.index.caughtUp();
      const { mask, maskAnswers } = deps.privacy;
      const shown = by.level === 'Read only' ? { mask, maskAnswers } : WHOLE;
      return eventsOf(deps, shown, { tenant, learner: keyOf(learner) });
    },
    erase: (tenant, learner, { pending, by = SERVICE }) =>
      erase(deps, { tenant, learner, pending, by }),
    finishErasures: () => finish(deps),
  };
}

function keyOf(learner: string): string {
  return subjectKey({ kind: 'learner', value: learner });
}

/** What the audit log calls a learner: the same for the same person, and nothing to others. */
function nameOf({ sealer }: LearnersDeps, tenant: string, learner: string): string {
  return sealer.digestOf(keyOf(learner), { tenant, owner: 'learners', field: 'key' });
}

type Noted = Pick<AuditEntry, 'what' | 'target'> & {
  readonly tenant: string;
  readonly after?: object;
};

function noteOf({ clock }: LearnersDeps, by: Origin, { after = {}, ...rest }: Noted): AuditEntry {
  return auditEntry(clock.now(), by, { before: null, after, ...rest });
}

async function* eventsOf(
  deps: LearnersDeps,
  shown: Shown,
  whose: Pick<LearnerQuery, 'tenant' | 'learner'>,
): AsyncGenerator<KeptEvent> {
  let page = await deps.store.learnerEvents({ ...whose, limit: READ_STEP });
  while (page.length > 0) {
    for (const found of page) {
      const deliveries = deliveriesOf(deps, shown, found);
      yield { ...found, event: shown.mask(found.event), deliveries };
    }
    const before = page.at(-1)?.event.id ?? '';
    page = await deps.store.learnerEvents({ ...whose, before, limit: READ_STEP });
  }
}

/** Those that carry any of the learner's notifications. */
async function* deliveriesOf(
  { store }: LearnersDeps,
  { maskAnswers }: Shown,
  { event, own }: LearnerEvent,
): AsyncGenerator<KeptDelivery> {
  const query = { tenant: event.tenant, eventId: event.id, limit: READ_STEP };
  let page = await store.deliveries(query);
  while (page.length > 0) {
    for (const row of page) {
      const isTheirs = row.picks === null || row.picks.some((index) => own.includes(index));
      if (isTheirs) yield { row, attempts: attemptsOf(store, maskAnswers, { event, row }) };
    }
    page = await store.deliveries({ ...query, before: page.at(-1)?.id ?? '' });
  }
}

/** Each may hold 64 KiB of an answer, and there may be very many. */
async function* attemptsOf(
  store: Pick<Store, 'attempts'>,
  maskAnswers: Shown['maskAnswers'],
  { event, row }: Pick<LearnerEvent, 'event'> & Pick<KeptDelivery, 'row'>,
): AsyncGenerator<Attempt> {
  const query = { tenant: row.tenant, deliveryId: row.id, limit: READ_STEP };
  for (let skip = 0; ; skip += READ_STEP) {
    const attempts = await store.attempts({ ...query, skip });
    yield* maskAnswers(event, attempts);
    if (attempts.length < READ_STEP) return;
  }
}

type Asked = Pick<Erasure, 'tenant' | 'learner' | 'pending'> & { readonly by: Origin };

/** Both the wish and what came of it are on record, so that one that was cut short is seen. */
async function erase(
  deps: LearnersDeps,
  { tenant, learner, pending, by }: Asked,
): Promise<ErasureReceipt> {
  const { store, clock, index } = deps;
  const now = clock.now();
  const [receipt, subject] = [newId(now), nameOf(deps, tenant, learner)];
  const place = { tenant, target: subject };
  const asked = { Receipt: receipt, Pending: pending };
  await store.note(noteOf(deps, by, { ...place, what: 'erasure begun', after: asked }));
  await index.caughtUp();
  const how = { tenant, learner: keyOf(learner), receipt, pending, now, limit: ERASE_STEP };
  const done = await eraseAll(deps, how);
  const bytesGone = await scrub(store);
  const sums = { ...sumsOf(done), bytesGone };
  await store.note(
    noteOf(deps, by, {
      ...place,
      what: 'learner erased',
      after: { Receipt: receipt, ...sumsNote(sums) },
    }),
  );
  return { id: receipt, subject, erasedAt: clock.now(), ...sums };
}

async function eraseAll(
  deps: LearnersDeps,
  how: Omit<Erasure, 'before'>,
): Promise<readonly EventErasure[]> {
  const done: EventErasure[] = [];
  let step = await eraseStep(deps, how);
  for (;;) {
    done.push(...step.events);
    if (step.next === null) return done;
    step = await eraseStep(deps, { ...how, before: step.next.eventId });
  }
}

/**
 * What waits in a lane with more than the learner's is taken out of it, and the step made once more.
 * Lanes look for work only afterwards, so that they do not fetch it again in between.
 */
async function eraseStep(deps: LearnersDeps, how: Erasure): Promise<ErasureStep> {
  const { store } = deps;
  const { tenant } = how;
  const step = await store.erase(how);
  const cancelled = dropCancelled(deps, step.events);
  const taken = how.pending === 'cancel' ? takeBack(deps, tenant, step.events) : [];
  try {
    if (taken.length === 0) return step;
    await store.release(taken.map(({ id }) => ({ tenant, id })));
    const again = await store.erase(how);
    return { ...again, events: [...step.events.map(withoutWaiting), ...again.events] };
  } finally {
    wakeEach(deps, tenant, [...cancelled, ...taken]);
  }
}

/** Counted where it is waited for at last. */
function withoutWaiting(event: EventErasure): EventErasure {
  return { ...event, waiting: [] };
}

function takeBack(
  { engine }: LearnersDeps,
  tenant: string,
  events: readonly EventErasure[],
): readonly OpenDelivery[] {
  const inHand = events.flatMap(({ waiting }) => waiting.filter((each) => each.inHand));
  return inHand.filter(({ registrationId, id }) =>
    engine.takeBack({ tenant, id: registrationId }, id),
  );
}

/** No lane sends them any more; others may have waited for them. */
function dropCancelled(
  { engine }: LearnersDeps,
  events: readonly EventErasure[],
): readonly OpenDelivery[] {
  for (const { tenant, cancelled } of events) {
    for (const { registrationId, id, state } of cancelled) {
      engine.drop({ tenant, id: registrationId }, id);
      engine.waiting.moved(tenant, state, 'cancelled');
    }
  }
  return events.flatMap(({ cancelled }) => cancelled);
}

function wakeEach(
  { engine }: LearnersDeps,
  tenant: string,
  deliveries: readonly OpenDelivery[],
): void {
  for (const id of new Set(deliveries.map(({ registrationId }) => registrationId)))
    engine.wake({ tenant, id });
}

type Sums = Pick<
  ErasureReceipt,
  'events' | 'notifications' | 'deliveries' | 'attempts' | 'cancelled' | 'waiting'
>;

function sumsOf(events: readonly EventErasure[]): Sums {
  const sum = (count: (event: EventErasure) => number): number =>
    events.reduce((total, event) => total + count(event), 0);
  return {
    events: sum(({ notifications }) => Math.min(1, notifications)),
    notifications: sum(({ notifications }) => notifications),
    deliveries: sum(({ deliveries }) => deliveries),
    attempts: sum(({ attempts }) => attempts),
    cancelled: sum(({ cancelled }) => cancelled.length),
    waiting: sum(({ waiting }) => waiting.length),
  };
}

function sumsNote(sums: Sums & { readonly bytesGone: boolean }): object {
  return Object.fromEntries(
    Object.entries(sums).map(([member, value]) => [
      member.charAt(0).toUpperCase() + member.slice(1),
      value,
    ]),
  );
}

async function finish(deps: LearnersDeps): Promise<void> {
  const { store, clock } = deps;
  const finished = new Map<string, EventErasure[]>();
  const marked = { now: clock.now(), limit: ERASE_STEP };
  let step = await store.eraseMarked(marked);
  for (;;) {
    dropCancelled(deps, step.events);
    for (const event of step.events) {
      wakeEach(deps, event.tenant, event.cancelled);
      if (event.waiting.length > 0) continue;
      const of = `${event.tenant} ${event.receipt}`;
      finished.set(of, [...(finished.get(of) ?? []), event]);
    }
    if (step.next === null) break;
    step = await store.eraseMarked({ ...marked, after: step.next });
  }
  if (finished.size > 0) await noteFinished(deps, [...finished.values()]);
}

async function noteFinished(
  deps: LearnersDeps,
  finished: readonly (readonly EventErasure[])[],
): Promise<void> {
  const bytesGone = await scrub(deps.store);
  for (const events of finished) {
    const [{ tenant, receipt: target } = { tenant: '', receipt: '' }] = events;
    const after = sumsNote({ ...sumsOf(events), bytesGone });
    await deps.store.note(
      noteOf(deps, SERVICE, { tenant, target, what: 'erasure finished', after }),
    );
  }
}

async function scrub(store: Pick<Store, 'scrub'>): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    if (await store.scrub()) return true;
    if (tries === SCRUB_TRIES) return false;
    await new Promise((resolve) => setTimeout(resolve, SCRUB_AGAIN_MS));
  }
}
