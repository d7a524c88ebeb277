import { isOwnAction } from '../core/warning.ts';
import { judge } from '../core/outcome.ts';
import type { Delivery } from '../core/delivery.ts';
import { explain } from '../core/explain.ts';
import { observe } from '../core/histogram.ts';
import { idTime } from '../core/id.ts';
import type { RegistrationRef } from '../core/registration.ts';
import {
  addCounts,
  ALL,
  type Counts,
  emptyCounts,
  mergeRows,
  type StatisticsRow,
  STEPS,
} from '../core/statistics.ts';
import type { Settlement, Store } from '../store/port.ts';

export type TallyOptions = {
  readonly store: Pick<Store, 'addStatistics'>;
  /** The filter of an action as the catalogue writes it; undefined where it has none. */
  readonly filterOf: (action: string) => string | undefined;
  readonly onError: (error: unknown) => void;
  /** Told of the same, tenants and registrations left out. */
  readonly onMatched: () => void;
  readonly onEnded: (state: 'delivered' | 'exhausted', ms: number) => void;
};

const FLUSH_EVERY_MS = 5000;
/** Counts of a registration and its actions in memory; when there are so many they are written before their time. */
const MAX_CELLS = 5000;
/** Rows that wait for a store that fails; what comes beyond is not kept. */
const MAX_UNWRITTEN = 50_000;
/** Rows in one transaction: others' commits wait no longer than that. */
const ROWS_PER_WRITE = 500;

const STEP_MS = STEPS.minute.ms;
/** Between actions, which have no control characters. */
const SEPARATOR = '\n';

type Cells = Map<string, Counts>;
/** Of one minute: by tenant for events, by registration for what came of them. */
type Minute = {
  readonly start: number;
  readonly events: Map<string, Cells>;
  readonly registrations: Map<RegistrationRef, Cells>;
};

/**
 * Counts in memory what happens, and adds it to the store every few seconds: a delivery costs a
 * look-up or two and no write. What a process has counted in the last seconds ends with it when it
 * is killed.
 */
export class Tally {
  readonly #options: TallyOptions;
  readonly #minutes = new Map<number, Minute>();
  #latest: Minute | undefined;
  #cells = 0;
  #unwritten: StatisticsRow[] = [];
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  /** An event was accepted. Warnings do not count: nobody published them. */
  published(tenant: string, at: number, actions: readonly string[]): void {
    if (isOwnAction(actions[0] ?? '')) return;
    this.#counts(this.#minute(at).events, tenant, actions).published += 1;
  }

  /** A delivery was accepted. */
  matched(registration: RegistrationRef, at: number, actions: readonly string[]): void {
    this.#counts(this.#minute(at).registrations, registration, actions).deliveries += 1;
    this.#options.onMatched();
  }

  /** An attempt was written; `moved` tells whether its delivery went on by it. */
  settled(
    registration: RegistrationRef,
    { actions }: Delivery,
    { deliveryId, attempt, next }: Settlement,
    moved: boolean,
  ): void {
    const { outcome, startedAt, durationMs } = attempt;
    const endedAt = startedAt + durationMs;
    const counts = this.#counts(this.#minute(endedAt).registrations, registration, actions);
    counts.attempts += 1;
    observe(counts.duration, durationMs);
    if (judge(outcome) !== 'delivered') {
      const { class: kind } = explain(outcome);
      counts.failed[kind] = (counts.failed[kind] ?? 0) + 1;
    }
    if (!moved) return;
    if (next.state !== 'delivered' && next.state !== 'exhausted') return;
    counts[next.state] += 1;
    const latencyMs = endedAt - idTime(deliveryId);
    if (next.state === 'delivered') observe(counts.latency, latencyMs);
    this.#options.onEnded(next.state, latencyMs);
  }

  /** Resolves once all that was counted is written, or could not be; that is tried again. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write()).catch(this.#options.onError);
    return this.#writing;
  }

  async #write(): Promise<void> {
    this.#takeRows();
    while (this.#unwritten.length > 0) {
      const rows = this.#unwritten.splice(0, ROWS_PER_WRITE);
      try {
        await this.#options.store.addStatistics(rows);
      } catch (error) {
        this.#unwritten.push(...rows);
        throw error;
      }
    }
  }

  #makeRoom(): void {
    this.#takeRows();
    void this.flush();
  }

  #takeRows(): void {
    const rows = [...this.#minutes.values()].flatMap((minute) => this.#rowsOf(minute));
    this.#minutes.clear();
    this.#latest = undefined;
    this.#cells = 0;
    this.#unwritten = mergeRows([...this.#unwritten, ...mergeRows(rows)]).slice(0, MAX_UNWRITTEN);
  }

  /** Each with its sums, so that no question needs more than one row a span. */
  #rowsOf({ start, events, registrations }: Minute): StatisticsRow[] {
    const rows: StatisticsRow[] = [];
    for (const [tenant, cells] of events) {
      const place = { tenant, registrationId: ALL, start, stepMs: STEP_MS };
      rows.push(...this.#withFilters(place, cells));
    }
    for (const [{ tenant, id }, cells] of registrations) {
      const place = { tenant, start, stepMs: STEP_MS };
      rows.push(...this.#withFilters({ ...place, registrationId: ALL }, cells));
      for (const row of this.#withFilters({ ...place, registrationId: id }, cells)) {
        const counts = { ...row.counts, published: row.counts.deliveries };
        rows.push({ ...row, counts });
      }
    }
    return rows;
  }

  #withFilters(place: Omit<StatisticsRow, 'action' | 'counts'>, cells: Cells): StatisticsRow[] {
    const all = emptyCounts();
    const byFilter = new Map<string, Counts>();
    for (const [key, counts] of cells) {
      addCounts(all, counts);
      for (const filter of this.#filtersOf(key)) {
        const sum = byFilter.get(filter) ?? emptyCounts();
        addCounts(sum, counts);
        byFilter.set(filter, sum);
      }
    }
    const each = [...byFilter].map(([action, counts]) => ({ ...place, action, counts }));
    return [{ ...place, action: ALL, counts: all }, ...each];
  }

  /** Publishers may name any action; only those of the catalogue are counted each for itself. */
  #filtersOf(key: string): Set<string> {
    const names = key.split(SEPARATOR).map((action) => this.#options.filterOf(action));
    return new Set(names.filter((name) => name !== undefined));
  }

  #minute(at: number): Minute {
    if (this.#cells >= MAX_CELLS) this.#makeRoom();
    const start = at - (at % STEP_MS);
    if (this.#latest?.start === start) return this.#latest;
    let minute = this.#minutes.get(start);
    if (minute === undefined) {
      minute = { start, events: new Map(), registrations: new Map() };
      this.#minutes.set(start, minute);
    }
    this.#latest = minute;
    return minute;
  }

  #counts<Owner>(of: Map<Owner, Cells>, owner: Owner, actions: readonly string[]): Counts {
    const key = actions.length === 1 ? (actions[0] ?? '') : [...new Set(actions)].join(SEPARATOR);
    let cells = of.get(owner);
    if (cells === undefined) {
      cells = new Map();
      of.set(owner, cells);
    }
    let counts = cells.get(key);
    if (counts === undefined) {
      counts = emptyCounts();
      cells.set(key, counts);
      this.#cells += 1;
    }
    return counts;
  }
}
