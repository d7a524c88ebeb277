import type { Delivery } from '../core/delivery.ts';
import { registrationKey } from '../core/registration.ts';
import type { Arrival, LaneClaim, Store } from '../store/port.ts';
import { DueHeap } from './due-heap.ts';
import type { Lane } from './lane.ts';
import type { Window } from './window.ts';

/** Lanes asked for in one claim. */
const LANES_PER_CLAIM = 64;
/** Deliveries asked for by name in one claim, but for those of the last lane. */
const ARRIVED_PER_CLAIM = 500;
const RETRY_AFTER_FAILURE_MS = 1000;
/** When memory is full, what is sent makes room: looked at this often. */
const RETRY_WHEN_FULL_MS = 20;
const MAX_TIMER_MS = 60_000;

type Arrived = Pick<Arrival, 'count' | 'names'>;

export type ClaimerOptions = {
  readonly store: Pick<Store, 'claim' | 'claimArrived'>;
  readonly now: () => number;
  readonly window: Pick<Window, 'budget' | 'reserve'>;
  /** Takes what was claimed, oldest first; called once for each lane that was asked for. */
  readonly onClaimed: (lane: Lane, deliveries: readonly Delivery[]) => void;
  /** Called when a lane's time has come; earlier appointments swallow later ones, so it looks for the next. */
  readonly onWake: (lane: Lane) => void;
};

/**
 * Brings work from the store into lanes: what falls due, backlog beyond the window, what other nodes
 * accepted, and what an earlier run left. One claim runs at a time; lanes that want one meanwhile
 * share the next.
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #timetable = new DueHeap<Lane>();
  readonly #wanting = new Set<Lane>();
  readonly #arrived = new Map<Lane, Arrived>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #again: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #claim: Promise<void> = Promise.resolve();
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

  /**
   * Takes what another node has just accepted for this lane. By name it is found at once; where older
   * work waits in the store, or the lane has no room, it waits there for its turn.
   */
  arrive(lane: Lane, { count, names }: Arrived): void {
    if (this.#stopped) return;
    if (!lane.isQuick && lane.room() < count) return this.#leave(lane);
    lane.reserved += count;
    const before = this.#arrived.get(lane) ?? { count: 0, names: [] };
    this.#arrived.set(lane, {
      count: before.count + count,
      names: [...before.names, ...names],
    });
    this.#run();
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
    clearTimeout(this.#again);
    await this.#running;
  }

  /** Resolves when the claim that is under way is over. */
  settled(): Promise<void> {
    return this.#claim;
  }

  #want(lane: Lane): void {
    if (lane.isOver || lane.claiming || !lane.isLow || lane.room() === 0) return;
    this.#wanting.add(lane);
    this.#run();
  }

  /** What waits in the store for this lane is looked for there. */
  #leave(lane: Lane): void {
    lane.noteDue(this.#options.now());
    this.consider(lane);
  }

  #run(): void {
    this.#running ??= this.#claimAll().finally(() => {
      this.#running = undefined;
      if (this.#stopped) return;
      if (this.#arrived.size > 0 || this.#mayTake().length > 0) this.#run();
      else if (this.#wanting.size > 0) this.#runLater();
    });
  }

  async #claimAll(): Promise<void> {
    await Promise.resolve();
    while (!this.#stopped) {
      const arrived = this.#takeArrived();
      if (arrived.size > 0) await (this.#claim = this.#claimArrived(arrived));
      const lanes = this.#mayTake();
      if (lanes.length > 0 && !this.#stopped) await (this.#claim = this.#claimFor(lanes));
      if (arrived.size === 0 && lanes.length === 0) return;
    }
  }

  /** Some of what arrived, for lanes that have nothing older in the store. */
  #takeArrived(): ReadonlyMap<Lane, Arrived> {
    const now = this.#options.now();
    const taken = new Map<Lane, Arrived>();
    let room = Math.min(ARRIVED_PER_CLAIM, this.#options.window.budget());
    for (const [lane, arrived] of this.#arrived) {
      if (taken.size > 0 && room <= 0) break;
      this.#arrived.delete(lane);
      if (!lane.isOver && !lane.isBehind(now) && room > 0) {
        taken.set(lane, arrived);
        room -= arrived.count;
        continue;
      }
      lane.reserved -= arrived.count;
      if (!lane.isOver) this.#leave(lane);
    }
    return taken;
  }

  async #claimArrived(arrived: ReadonlyMap<Lane, Arrived>): Promise<void> {
    try {
      const claimed = await this.#options.store.claimArrived(
        [...arrived].map(([{ tenant, id }, { count, names }]) => ({ tenant, id, count, names })),
      );
      const byLane = Map.groupBy(claimed, ({ tenant, registrationId }) =>
        registrationKey({ tenant, id: registrationId }),
      );
      for (const [lane, { count }] of arrived) {
        const deliveries = byLane.get(lane.key) ?? [];
        lane.reserved -= count;
        this.#options.onClaimed(lane, deliveries);
        // By other names the rest may be there all the same.
        if (deliveries.length < count && !lane.isOver) this.#leave(lane);
      }
    } catch {
      for (const [lane, { count }] of arrived) {
        lane.reserved -= count;
        lane.noteDue(this.#options.now());
        this.wakeAt(lane, this.#options.now() + RETRY_AFTER_FAILURE_MS);
      }
    }
  }

  async #claimFor(lanes: readonly Lane[]): Promise<void> {
    for (const lane of lanes) this.#take(lane);
    const now = this.#options.now();
    const room = Math.max(1, Math.floor(this.#options.window.budget() / lanes.length));
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

  /** Those whose turn it is: any while memory has room, then those that have nothing. */
  #mayTake(): Lane[] {
    const isFull = this.#options.window.budget() <= 0;
    const limit = isFull
      ? Math.min(LANES_PER_CLAIM, this.#options.window.reserve())
      : LANES_PER_CLAIM;
    const lanes: Lane[] = [];
    for (const lane of this.#wanting) {
      if (lanes.length >= limit) break;
      if (lane.isOver) this.#wanting.delete(lane);
      else if (!isFull || lane.isEmpty) lanes.push(lane);
    }
    return lanes;
  }

  #take(lane: Lane): void {
    this.#wanting.delete(lane);
    lane.claiming = true;
    // It is to bring all there is: what comes meanwhile need not queue up behind it in the store.
    lane.nextDueAt = Infinity;
  }

  #receive(lane: Lane, claim: LaneClaim | undefined): void {
    lane.claiming = false;
    lane.noteDue(claim?.nextDueAt ?? Infinity);
    this.#options.onClaimed(lane, claim?.deliveries ?? []);
    this.consider(lane);
  }

  /** The store's own trouble is reported where writes fail; here only time is given. */
  #comeBack(lane: Lane): void {
    lane.claiming = false;
    lane.noteDue(this.#options.now());
    this.wakeAt(lane, this.#options.now() + RETRY_AFTER_FAILURE_MS);
  }

  #runLater(): void {
    this.#again ??= setTimeout(() => {
      this.#again = undefined;
      this.#run();
    }, RETRY_WHEN_FULL_MS);
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
