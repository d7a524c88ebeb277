import { AppError } from '../core/errors.ts';
import type { Clock } from '../core/clock.ts';
import {
  addCounts,
  ALL,
  type Counts,
  emptyCounts,
  type StatisticsRow,
  type Step,
  STEPS,
} from '../core/statistics.ts';
import type { Store, TenantBacklog } from '../store/port.ts';
import type { Filters, Registrations } from './library.ts';

export type StatisticsRequest = {
  readonly tenant: string;
  /** A day up to now where not said. */
  readonly from?: number;
  readonly to?: number;
  readonly step?: Step;
  readonly registrationId?: string;
  readonly action?: string;
};

export type StatisticsAnswer = {
  /** As asked, widened to whole spans. */
  readonly from: number;
  readonly to: number;
  readonly step: Step;
  /** Every span of that time, oldest first. */
  readonly buckets: readonly { readonly start: number; readonly counts: Counts }[];
  readonly total: Counts;
  /** What waits now, of all filters. */
  readonly backlog: TenantBacklog;
};

/** How much, how well and how fast. What other nodes counted in the last seconds may be missing. */
export interface Statistics {
  read(request: StatisticsRequest): Promise<StatisticsAnswer>;
}

/** Spans in one answer. */
const MAX_SPANS = 1500;
/** Where the caller does not say: an hour of minutes, a day of hours, a month of days. */
const DEFAULT_SPANS = { minute: 60, hour: 24, day: 30 } as const;
const LONGER = { minute: 'hour', hour: 'day', day: 'day' } as const;

export type StatisticsDeps = {
  readonly store: Pick<Store, 'statistics' | 'backlog'>;
  readonly clock: Clock;
  readonly filters: Pick<Filters, 'get'>;
  readonly registrations: Pick<Registrations, 'list' | 'get'>;
  /** Writes what this process has counted so far. */
  readonly flush: () => Promise<void>;
};

type Span = { readonly from: number; readonly to: number; readonly step: Step };

/** Answers from sums that are kept, whatever there is in the log. */
export function createStatistics(deps: StatisticsDeps): Statistics {
  const { store, clock, filters, flush } = deps;
  return {
    read: async (request) => {
      const span = spanOf(request, clock.now());
      const { tenant, registrationId = ALL, action } = request;
      const filter = action === undefined ? ALL : (filters.get(action)?.name ?? action);
      await flush();
      const { from, to } = span;
      const rows = await store.statistics({ tenant, registrationId, action: filter, from, to });
      const buckets = inBuckets(rows, span);
      const total = emptyCounts();
      for (const { counts } of buckets) addCounts(total, counts);
      return { ...span, buckets, total, backlog: await backlogOf(deps, request) };
    },
  };
}

function backlogOf(
  { store, registrations }: StatisticsDeps,
  { tenant, registrationId }: StatisticsRequest,
): Promise<TenantBacklog> {
  const all = registrationId === undefined ? registrations.list(tenant) : [];
  const one = registrations.get(tenant, registrationId ?? '');
  const ids = [...all, ...(one === undefined ? [] : [one])].map(({ id }) => id);
  return store.backlog(tenant, ids);
}

/** From the beginning of a span to the end of one. Throws `bad_request` with a sentence. */
function spanOf({ from, to, step = 'hour' }: StatisticsRequest, now: number): Span {
  const { ms, keptMs } = STEPS[step];
  const end = Math.ceil((to ?? now + 1) / ms) * ms;
  const start = Math.floor((from ?? end - DEFAULT_SPANS[step] * ms) / ms) * ms;
  if (start >= end) throw new AppError('bad_request', 'from is a time before to.');
  const spans = (end - start) / ms;
  if (spans > MAX_SPANS) {
    const hint = step === 'day' ? 'a shorter time' : `a shorter time or step=${LONGER[step]}`;
    throw new AppError(
      'bad_request',
      `That is ${spans} ${step}s, and an answer holds ${MAX_SPANS} at most. Ask for ${hint}.`,
    );
  }
  if ((from ?? start) >= now - keptMs || step === 'day') return { from: start, to: end, step };
  const days = keptMs / STEPS.day.ms;
  throw new AppError(
    'bad_request',
    `Statistics by the ${step} are kept for ${days} days. Ask for a later time or step=${LONGER[step]}.`,
  );
}

type Bucket = { readonly start: number; readonly counts: Counts };

function inBuckets(rows: readonly StatisticsRow[], { from, to, step }: Span): Bucket[] {
  const { ms } = STEPS[step];
  const buckets = Array.from({ length: (to - from) / ms }, (_, index) => ({
    start: from + index * ms,
    counts: emptyCounts(),
  }));
  for (const { start, counts } of rows) {
    const bucket = buckets[Math.floor((start - from) / ms)];
    if (bucket !== undefined) addCounts(bucket.counts, counts);
  }
  return buckets;
}
