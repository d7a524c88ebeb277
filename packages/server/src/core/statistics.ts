import { addHistogram, type Histogram } from './histogram.ts';

/** What is counted of a span of time. */
export type Counts = {
  /** Events: of a registration those that were for it. */
  published: number;
  /** Deliveries made of them. */
  deliveries: number;
  delivered: number;
  exhausted: number;
  attempts: number;
  /** Attempts that did not deliver, by outcome class. */
  readonly failed: Record<string, number>;
  /** Milliseconds from the event's acceptance until it was delivered. */
  readonly latency: Histogram;
  /** Milliseconds that attempts took. */
  readonly duration: Histogram;
};

export function emptyCounts(): Counts {
  return {
    published: 0,
    deliveries: 0,
    delivered: 0,
    exhausted: 0,
    attempts: 0,
    failed: {},
    latency: [],
    duration: [],
  };
}

export function addCounts(into: Counts, from: Counts): void {
  into.published += from.published;
  into.deliveries += from.deliveries;
  into.delivered += from.delivered;
  into.exhausted += from.exhausted;
  into.attempts += from.attempts;
  for (const [kind, count] of Object.entries(from.failed))
    into.failed[kind] = (into.failed[kind] ?? 0) + count;
  addHistogram(into.latency, from.latency);
  addHistogram(into.duration, from.duration);
}

/** Spans that counts are kept by, in UTC, shortest first; and how long before they become the next longer one. */
export const STEPS = {
  minute: { ms: 60_000, keptMs: 2 * 86_400_000 },
  hour: { ms: 3_600_000, keptMs: 60 * 86_400_000 },
  day: { ms: 86_400_000, keptMs: Infinity },
} as const;
export type Step = keyof typeof STEPS;

/** Where sums over all registrations, or all filters, are kept. */
export const ALL = '';

/** What happened in one span, of one registration and filter or of all. */
export type StatisticsRow = {
  readonly tenant: string;
  /** Its id, or `ALL`. */
  readonly registrationId: string;
  /** The name of a filter, or `ALL`. */
  readonly action: string;
  readonly start: number;
  readonly stepMs: number;
  readonly counts: Counts;
};

/** One row for each tenant, registration, filter and span, spans as long as `stepMs` where given. */
export function mergeRows(rows: Iterable<StatisticsRow>, stepMs?: number): StatisticsRow[] {
  const merged = new Map<string, StatisticsRow>();
  for (const row of rows) {
    const step = stepMs ?? row.stepMs;
    const start = row.start - (row.start % step);
    const key = `${row.tenant}\n${row.registrationId}\n${row.action}\n${start}\n${step}`;
    let sum = merged.get(key);
    if (sum === undefined) {
      sum = { ...row, start, stepMs: step, counts: emptyCounts() };
      merged.set(key, sum);
    }
    addCounts(sum.counts, row.counts);
  }
  return [...merged.values()];
}
