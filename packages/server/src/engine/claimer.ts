import type { Delivery } from '../core/delivery.ts';
import type { LaneClaim, Store } from '../store/port.ts';
import { DueHeap } from './due-heap.ts';
import type { Lane } from './lane.ts';

/** Lanes asked for in one claim. */
const LANES_PER_CLAIM = 64;
/** A lane asks for more when its window is at most this full, so that claims come in worthwhile sizes. */
const REFILL_BELOW = 64;
const RETRY_AFTER_FAILURE_MS = 1000;
const MAX_TIMER_MS = 60_000;

export type ClaimerOptions = {
  readonly store: Store;
  readonly now: () => number;
  /** How many deliveries may still be taken into memory, over all lanes. */
  readonly budget: () => number;
  /** Takes what was claimed; called once for each lane that was asked for. */
  readonly onClaimed: (lane: Lane, deliveries: readonly Delivery[]) => void;
  /** Called when a lane's time has come; earlier appointments swallow later ones, so it looks for the next. */
  readonly onWake: (lane: Lane) => void;
};

/**
 * Brings work from the store into lanes: what falls due, backlog beyond the window, and what an
 * earlier run left. One claim runs at a time; lanes that want one meanwhile share the next.
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #timetable = new DueHeap<Lane>();
  readonly #wanting = new Set<Lane>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  /** Looks at a lane now, and again when its next delivery is due. */
  consider(lane: Lane): void {
    if (this.#stopped) return;
    const now = this.#options.now();
    if (lane.nextDueAt <= now) this.#want(lane);
    else if (lane.nextDueAt !== Infinity) this.wakeAt(lane, lane.nextDueAt);
  }

  /** Looks at a lane at the given time, or earlier where that is arranged already. */
  wakeAt(lane: Lane, at: number): void {
    if (at >= lane.wakeAt) return;
    lane.wakeAt = at;
    this.#timetable.add(at, lane);
    this.#setTimer();
  }

  /** No claim is started any more; resolves when the running one is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #want(lane: Lane): void {
    if (lane.claiming || lane.queue.length > REFILL_BELOW || lane.room() === 0) return;
    this.#wanting.add(lane);
    this.#run();
  }

  #run(): void {
    this.#running ??= this.#claimAll().finally(() => {
      this.#running = undefined;
      if (this.#wanting.size > 0 && !this.#stopped) this.#run();
    });
  }

  async #claimAll(): Promise<void> {
    await Promise.resolve();
    while (this.#wanting.size > 0 && !this.#stopped) {
      if (this.#options.budget() <= 0) return this.#tryLater();
      await this.#claimNext();
    }
  }

  async #claimNext(): Promise<void> {
    const lanes = this.#takeWanting();
    const now = this.#options.now();
    const room = Math.max(1, Math.floor(this.#options.budget() / lanes.length));
    try {
      const claims = await this.#options.store.claim(
        lanes.map((lane) => ({
          tenant: lane.tenant,
          registrationId: lane.id,
          room: Math.max(1, Math.min(lane.room(), room)),
        })),
        now,
      );
      lanes.forEach((lane, index) => this.#receive(lane, claims[index]));
    } catch {
      for (const lane of lanes) this.#comeBack(lane);
    }
  }

  #takeWanting(): Lane[] {
    const lanes: Lane[] = [];
    for (const lane of this.#wanting) {
      if (lanes.length === LANES_PER_CLAIM) break;
      this.#wanting.delete(lane);
      lane.claiming = true;
      lane.dueSinceClaim = Infinity;
      lanes.push(lane);
    }
    return lanes;
  }

  #receive(lane: Lane, claim: LaneClaim | undefined): void {
    lane.claiming = false;
    lane.nextDueAt = Math.min(claim?.nextDueAt ?? Infinity, lane.dueSinceClaim);
    this.#options.onClaimed(lane, claim?.deliveries ?? []);
    this.consider(lane);
  }

  /** The store's own trouble is reported where writes fail; here only time is given. */
  #comeBack(lane: Lane): void {
    lane.claiming = false;
    this.wakeAt(lane, this.#options.now() + RETRY_AFTER_FAILURE_MS);
  }

  #tryLater(): void {
    const lanes = [...this.#wanting];
    this.#wanting.clear();
    for (const lane of lanes) this.wakeAt(lane, this.#options.now() + 20);
  }

  #setTimer(): void {
    const at = this.#timetable.nextAt;
    if (at === undefined || at >= this.#timerAt || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delay = Math.min(MAX_TIMER_MS, Math.max(0, at - this.#options.now()));
    this.#timer = setTimeout(() => this.#ring(), delay);
  }

  #ring(): void {
    this.#timerAt = Infinity;
    const now = this.#options.now();
    for (;;) {
      const lane = this.#timetable.takeDue(now);
      if (lane === undefined) break;
      if (lane.wakeAt <= now) lane.wakeAt = Infinity;
      this.#options.onWake(lane);
    }
    this.#setTimer();
  }
}
