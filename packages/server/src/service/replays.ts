import { type AuditEntry, auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { type Id, newId } from '../core/id.ts';
import {
  type Job,
  JOB_CHANGES,
  type JobChange,
  type JobTotal,
  MAX_UNFINISHED_JOBS,
  picksFor,
  type Selection,
} from '../core/job.ts';
import { MASKED } from '../core/mask.ts';
import type { Registration } from '../core/registration.ts';
import { COUNT_LIMIT, type Store } from '../store/port.ts';
import { type Indexer, indexFor } from './indexer.ts';
import type { Filters, Registrations, ReplayRequest, Replays } from './library.ts';
import { readLargePage } from './page.ts';

export type ReplaysDeps = {
  readonly store: Pick<Store, 'insertJob' | 'job' | 'jobs' | 'moveJob' | 'candidates'>;
  readonly registrations: Pick<Registrations, 'get'>;
  readonly filters: Pick<Filters, 'get'>;
  readonly index: Pick<Indexer, 'caughtUp'>;
  readonly clock: Clock;
  /** Has new jobs begun. */
  readonly look: () => void;
};

/** Sending again what lies in the past: jobs that the engine does step by step. */
export function createReplays(deps: ReplaysDeps): Replays {
  const { store } = deps;
  return {
    create: (tenant, registrationId, request, by = SERVICE) =>
      create(deps, { tenant, registrationId, request }, by),
    list: (query) => readLargePage(query, (asked) => store.jobs(asked), sizeOf),
    get: (tenant, id) => store.job(tenant, id),
    change: (tenant, id, change, by = SERVICE) => changeJob(deps, { tenant, id, change }, by),
  };
}

/** Characters of what was chosen. */
function sizeOf({ selection: { deliveries, filters } }: Job): number {
  return [deliveries, filters].flatMap((list) => list ?? []).join().length;
}

type Asked = {
  readonly tenant: string;
  readonly registrationId: string;
  readonly request: ReplayRequest;
};

async function create(
  deps: ReplaysDeps,
  { tenant, registrationId, request }: Asked,
  by: Origin,
): Promise<Job | undefined> {
  const registration = deps.registrations.get(tenant, registrationId);
  if (registration === undefined) return undefined;
  const { rate, kind, selection } = request;
  refuseUnknownFilters(deps, selection.filters ?? []);
  if (selection.subject !== null) await indexFor(deps.index, { subject: selection.subject });
  const now = deps.clock.now();
  const job: Job = {
    id: newId(now),
    tenant,
    registrationId: registration.id,
    kind,
    state: 'running',
    reason: null,
    selection: withoutRepeats(selection),
    rate,
    createdAt: now,
    endedAt: null,
    total: null,
    done: 0,
    cursor: null,
  };
  const counted = { ...job, total: await countOf(deps, job, registration) };
  const note = noteOf(now, by, { what: `${kind} started`, after: counted });
  if (!(await deps.store.insertJob(counted, MAX_UNFINISHED_JOBS, note))) {
    throw new AppError(
      'conflict',
      `There are ${MAX_UNFINISHED_JOBS} unfinished replays already. Cancel one, or wait until one is done.`,
    );
  }
  deps.look();
  return counted;
}

/** What is named twice is meant once. */
function withoutRepeats(selection: Selection): Selection {
  const { filters, deliveries } = selection;
  return {
    ...selection,
    filters: filters === null ? null : unique(filters.map((name) => name.toLowerCase())),
    deliveries: deliveries === null ? null : unique(deliveries),
  };
}

function unique<T>(list: readonly T[]): readonly T[] {
  return [...new Set(list)];
}

function refuseUnknownFilters({ filters }: ReplaysDeps, names: readonly string[]): void {
  const unknown = names.find((name) => filters.get(name) === undefined);
  if (unknown === undefined) return;
  throw new AppError(
    'bad_request',
    `There is no filter '${unknown.slice(0, 64)}'. GET /webhooks/filters lists them.`,
  );
}

/** Looks at the store that counting takes at most: whoever asks waits for them. */
const MAX_COUNT_LOOKS = 50;
const COUNTED_AT_ONCE = 2000;

/** How many deliveries it will make; null where looking all over would take long. */
async function countOf(
  { store }: ReplaysDeps,
  job: Job,
  registration: Registration,
): Promise<JobTotal | null> {
  const picksOf = picksFor(job.kind, registration);
  const asked = { limit: COUNTED_AT_ONCE, texts: false };
  let at = job;
  let count = 0;
  for (let look = 0; look < MAX_COUNT_LOOKS; look += 1) {
    const { items, next } = await store.candidates(at, asked);
    count += items.filter((item) => picksOf(item) !== undefined).length;
    if (count > COUNT_LIMIT) return { count: COUNT_LIMIT, isExact: false };
    if (next === null) return { count, isExact: true };
    at = { ...at, cursor: next };
  }
  return null;
}

async function changeJob(
  { store, clock, look }: ReplaysDeps,
  { tenant, id, change }: { readonly tenant: string; readonly id: Id; readonly change: JobChange },
  by: Origin,
): Promise<Job | undefined> {
  const before = await store.job(tenant, id);
  if (before === undefined) return undefined;
  const now = clock.now();
  const { from, to } = JOB_CHANGES[change];
  const reason = change === 'cancel' ? 'cancelled by hand' : null;
  const after = { ...before, state: to, reason };
  const note = noteOf(now, by, { what: `${before.kind} ${WORDS[change]}`, before, after });
  if (!(await store.moveJob({ tenant, id, from, to, reason, now }, note))) {
    const current = (await store.job(tenant, id)) ?? before;
    throw new AppError('conflict', `The ${current.kind} ${id} is ${current.state}.`);
  }
  look();
  return store.job(tenant, id);
}

const WORDS: Readonly<Record<JobChange, string>> = {
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
};

type Noted = { readonly what: string; readonly before?: Job; readonly after: Job };

function noteOf(now: number, by: Origin, { what, before, after }: Noted): AuditEntry {
  return auditEntry(now, by, {
    tenant: after.tenant,
    what,
    target: after.id,
    before: before === undefined ? null : { State: before.state, Done: before.done },
    after: before === undefined ? jobNote(after) : { State: after.state, Done: after.done },
  });
}

/** Who it is about is not kept for longer than the job needs it. */
function jobNote({ registrationId, kind, selection, rate, state }: Job): object {
  const { from, to, states, filters, subject, deliveries } = selection;
  return {
    RegistrationId: registrationId,
    Kind: kind,
    State: state,
    From: isoOrNull(from),
    To: isoOrNull(to),
    States: states,
    Filters: filters,
    Subject: subject === null ? null : MASKED,
    Deliveries: deliveries === null ? null : deliveries.length,
    Rate: rate,
  };
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
