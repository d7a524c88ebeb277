import { auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Id } from '../core/id.ts';
import {
  isActive,
  type Registration,
  registrationKey,
  type RegistrationRef,
} from '../core/registration.ts';
import type { Waiting } from '../engine/waiting.ts';
import type { Count, HeldDelivery, HeldPage, Store } from '../store/port.ts';
import type { Filters, HeldChoice, HeldPreview, Resuming } from './library.ts';
import { subjectsBy } from './filters.ts';
import { mostInFlight } from '../core/ramp.ts';
import type { RegistrationsService } from './registrations.ts';
import { Turns } from './turns.ts';

export type ResumingDeps = {
  readonly store: Pick<
    Store,
    'held' | 'cancelHeld' | 'move' | 'countDeliveries' | 'deliveries' | 'delivery' | 'note'
  >;
  readonly registrations: Pick<RegistrationsService, 'get' | 'activate'>;
  readonly filters: Pick<Filters, 'get'>;
  readonly clock: Clock;
  readonly waiting: Pick<Waiting, 'moved'>;
  /** Requests in flight to one registration. */
  readonly laneConcurrency: number;
  /** Held deliveries that are looked at to tell what a choice comes to, where it is not as many as usual. */
  readonly mostLookedAt?: number;
};

/** Two or three seconds' work, in short steps. */
const MOST_LOOKED_AT = 100_000;

const REASONS = {
  newest: 'a newer one about the same subject is sent',
  none: 'discarded when its registration was resumed',
} as const;

/** Ends a pause, or a registration's being switched off, and says what becomes of what is held. */
export function createResuming(deps: ResumingDeps): Resuming {
  const look = onceAtATime((ref) => lookAt(deps, ref));
  return {
    preview: async (tenant, id) => {
      const registration = deps.registrations.get(tenant, id);
      return registration === undefined ? undefined : preview(deps, registration, look);
    },
    resume: async (tenant, id, choice, by = SERVICE) => {
      const registration = deps.registrations.get(tenant, id);
      return registration === undefined ? undefined : resume(deps, registration, { choice, by });
    },
  };
}

async function preview(
  deps: ResumingDeps,
  registration: Registration,
  look: Look,
): Promise<HeldPreview> {
  const { held, newest } = await look(registration);
  const meanMs = await meanAttemptMs(deps, registration);
  const seconds = (count: number | null): number | null =>
    count === null || meanMs === null
      ? null
      : Math.ceil((count * meanMs) / 1000 / concurrencyOf(deps, registration, meanMs));
  return {
    held,
    all: { sent: held.count, seconds: seconds(held.count) },
    newest: { sent: newest, seconds: seconds(newest) },
  };
}

/** `newest`: null where there are more than were looked at. */
type LookedAt = { readonly held: Count; readonly newest: number | null };
type Look = (ref: RegistrationRef) => Promise<LookedAt>;

async function lookAt(deps: ResumingDeps, ref: RegistrationRef): Promise<LookedAt> {
  const { mostLookedAt = MOST_LOOKED_AT } = deps;
  let [held, sent] = [0, 0];
  for await (const { newest, older } of sorted(deps, ref)) {
    held += newest.length + older.length;
    sent += newest.length;
    if (held > mostLookedAt) return { held: { count: mostLookedAt, isExact: false }, newest: null };
  }
  return { held: { count: held, isExact: true }, newest: sent };
}

/** Who asks about what is being looked at has that answer; of one tenant, one is looked at after another. */
function onceAtATime(look: Look): Look {
  const turns = new Turns();
  const running = new Map<string, Promise<LookedAt>>();
  return (ref) => {
    const key = registrationKey(ref);
    const found =
      running.get(key) ??
      turns.take(ref.tenant, () => look(ref)).finally(() => running.delete(key));
    running.set(key, found);
    return found;
  };
}

function countHeld(
  { store }: ResumingDeps,
  { tenant, id: registrationId }: RegistrationRef,
): Promise<Count> {
  return store.countDeliveries({ tenant, registrationId, state: 'held' });
}

function concurrencyOf(
  { laneConcurrency }: ResumingDeps,
  { ordering }: Registration,
  meanMs: number,
): number {
  return ordering === 'strict' ? 1 : mostInFlight(laneConcurrency, meanMs);
}

/** Deliveries whose last attempts tell how long one takes. */
const MEASURED = 10;

/** How long the receiver took lately; null where it took nothing. */
async function meanAttemptMs(
  { store }: ResumingDeps,
  { tenant, id: registrationId }: RegistrationRef,
): Promise<number | null> {
  const query = { tenant, registrationId, state: 'delivered', limit: MEASURED } as const;
  const rows = await store.deliveries(query);
  const found = await Promise.all(rows.map(({ id }) => store.delivery(tenant, id)));
  const times = found.flatMap((one) => one?.attempts.at(-1)?.durationMs ?? []);
  return times.length === 0 ? null : times.reduce((sum, ms) => sum + ms, 0) / times.length;
}

type Asked = { readonly choice: HeldChoice; readonly by: Origin };

/** What is not to be sent is cancelled first: if that is cut short it can be asked for again. */
async function resume(
  deps: ResumingDeps,
  registration: Registration,
  { choice, by }: Asked,
): Promise<{ readonly cancelled: number; readonly held: Count }> {
  const { store, registrations, clock } = deps;
  const { tenant, id } = registration;
  if (isActive(registration)) {
    throw new AppError(
      'conflict',
      'The registration is active already: what was held is on its way.',
    );
  }
  const cancelled = await CANCELS[choice](deps, registration);
  const held = await countHeld(deps, registration);
  if (cancelled > 0) {
    const change = { what: 'held deliveries cancelled', target: id, before: null };
    const after = { Held: choice, Cancelled: cancelled };
    await store.note(auditEntry(clock.now(), by, { tenant, ...change, after }));
  }
  await registrations.activate(tenant, id, by);
  return { cancelled, held };
}

const CANCELS: Readonly<
  Record<HeldChoice, (deps: ResumingDeps, ref: RegistrationRef) => Promise<number>>
> = { all: () => Promise.resolve(0), newest: cancelOlder, none: cancelAll };

/** How many are cancelled in one transaction. */
const STEP = 500;

async function cancelAll(
  { store, clock, waiting }: ResumingDeps,
  ref: RegistrationRef,
): Promise<number> {
  const place = { tenant: ref.tenant, registrationId: ref.id };
  const course = { from: 'held', to: 'cancelled', reason: REASONS.none } as const;
  let cancelled = 0;
  for (;;) {
    const moved = await store.move({ ...place, ...course, now: clock.now(), limit: STEP });
    waiting.moved(ref.tenant, 'held', 'cancelled', moved);
    cancelled += moved;
    if (moved < STEP) return cancelled;
  }
}

async function cancelOlder(deps: ResumingDeps, ref: RegistrationRef): Promise<number> {
  const { store, clock, waiting } = deps;
  let cancelled = 0;
  for await (const { older } of sorted(deps, ref)) {
    if (older.length === 0) continue;
    const cancellation = { ids: older, reason: REASONS.newest, now: clock.now() };
    const moved = await store.cancelHeld(ref, cancellation);
    waiting.moved(ref.tenant, 'held', 'cancelled', moved);
    cancelled += moved;
  }
  return cancelled;
}

type Sorted = { readonly newest: readonly Id[]; readonly older: readonly Id[] };

/** Page after page, newest first: what is the newest about one of its subjects, and what is not. */
async function* sorted(
  { store, filters }: ResumingDeps,
  ref: RegistrationRef,
): AsyncGenerator<Sorted, void, undefined> {
  const isNewest = newestOfSubject(subjectsBy(filters));
  let before: Id | null = null;
  do {
    const page: HeldPage = await store.held(ref, before);
    const newest: Id[] = [];
    const older: Id[] = [];
    for (const one of page.items) (isNewest(one) ? newest : older).push(one.id);
    yield { newest, older };
    before = page.next;
  } while (before !== null);
}

/** Subjects that are kept in mind; what is about others than these is sent. */
const MAX_SUBJECTS = 200_000;

/** Asked newest first: true of the newest about one of its subjects, and of what is about nobody. */
export function newestOfSubject(
  subjectsOf: (action: string, text: string) => readonly string[],
): (delivery: Pick<HeldDelivery, 'actions' | 'notifications'>) => boolean {
  const seen = new Set<string>();
  return ({ actions, notifications }) => {
    const subjects = actions.flatMap((action, index) =>
      subjectsOf(action, notifications[index] ?? ''),
    );
    const isNewest = subjects.length === 0 || subjects.some((subject) => !seen.has(subject));
    for (const subject of subjects) if (seen.size < MAX_SUBJECTS) seen.add(subject);
    return isNewest;
  };
}
