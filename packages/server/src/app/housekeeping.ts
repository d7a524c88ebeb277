import type { Clock } from '../core/clock.ts';
import { STEPS } from '../core/statistics.ts';
import type { Id } from '../core/id.ts';
import type { ShortRetention } from '../service/retention.ts';
import type { Store } from '../store/port.ts';

const EVERY_MS = 60_000;
/** Deliveries removed in one transaction, and the pause after it: small beside the work of a busy node. */
const STEP = 500;
const PAUSE_MS = 50;
const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000;

export type HousekeepingOptions = {
  readonly store: Pick<
    Store,
    | 'prune'
    | 'pruneSome'
    | 'pruneJobs'
    | 'pruneIdempotency'
    | 'pruneAudit'
    | 'mergeStatistics'
    | 'pruneStatistics'
  >;
  readonly clock: Clock;
  readonly retentionMs: number;
  readonly auditRetentionMs: number;
  readonly statisticsRetentionMs: number;
  /** What is kept shorter, as it is set now. */
  readonly shorter: () => readonly ShortRetention[];
  /** What else is past its time. */
  readonly forget: () => Promise<void>;
  readonly onError: (error: unknown) => void;
};

/** Removes what is older than the retention, in small steps, while deliveries go on. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Begins at once: a server that is started again every few seconds must not grow for ever. */
  start(): void {
    this.#begin();
    this.#timer = setInterval(() => this.#begin(), EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#running;
  }

  #begin(): void {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
  }

  async #round(): Promise<void> {
    const { store, clock, retentionMs, auditRetentionMs, shorter, forget, onError } = this.#options;
    try {
      await forget();
      await this.#inSteps(() => store.pruneIdempotency(clock.now() - IDEMPOTENCY_KEPT_MS, STEP));
      await this.#inSteps(() => store.prune(clock.now() - retentionMs, STEP));
      await this.#inSteps(() => store.pruneJobs(clock.now() - retentionMs, STEP));
      for (const rule of shorter()) await this.#pruneSome(rule);
      await this.#inSteps(() => store.pruneAudit(clock.now() - auditRetentionMs, STEP));
      await this.#shortenStatistics();
    } catch (error) {
      onError(error);
    }
  }

  /** Old statistics are kept by longer spans, whole ones only, and by the day until they go. */
  async #shortenStatistics(): Promise<void> {
    const { store, clock, statisticsRetentionMs } = this.#options;
    const { minute, hour, day } = STEPS;
    for (const [from, into] of [
      [minute, hour],
      [hour, day],
    ] as const) {
      const time = clock.now() - from.keptMs;
      const before = time - (time % into.ms);
      const merge = { stepMs: from.ms, intoMs: into.ms, before, limit: STEP };
      await this.#inSteps(() => store.mergeStatistics(merge));
    }
    const before = clock.now() - statisticsRetentionMs;
    await this.#inSteps(() => store.pruneStatistics(day.ms, before, STEP));
  }

  async #pruneSome({ tenant, action, retentionMs }: ShortRetention): Promise<void> {
    const { store, clock } = this.#options;
    const some = { tenant, action, before: clock.now() - retentionMs, limit: STEP };
    let after: Id | undefined;
    while (!this.#abort.signal.aborted) {
      const { next } = await store.pruneSome(after === undefined ? some : { ...some, after });
      if (next === null) return;
      after = next;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** Until a step finds less than it may remove. */
  async #inSteps(step: () => Promise<number>): Promise<void> {
    while (!this.#abort.signal.aborted) {
      if ((await step()) < STEP) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
