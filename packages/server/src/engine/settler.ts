import type { Settlement, Store } from '../store/port.ts';
import { Batcher } from './batcher.ts';
import type { Waiting } from './waiting.ts';

/**
 * So many attempts may wait for the disk, and so long while none of them gets there, before nothing
 * new is sent: what waits is what a crash would repeat.
 */
const MAX_UNSETTLED = 4000;
const MAX_STALLED_MS = 1000;
const MAX_SETTLEMENTS_PER_COMMIT = 2000;
const AGAIN_AFTER_MS = 1000;
/**
 * Nobody waits for a settlement, unless others come after it in an order, and a commit costs the same
 * for one as for a hundred: they wait this long for each other.
 */
const isUrgent = ({ ordered }: Settlement): boolean => ordered;
/** Where they share the commit of the next accept or claim. */
const SHORT_HOLD = { items: 256, ms: 10, isUrgent };
/** Where each commit is their own, which others' have to wait for at the disk. */
const LONG_HOLD = { items: 512, ms: 25, isUrgent };

/** Writes down what came of attempts, many in one commit. */
export class Settler {
  readonly #batcher: Batcher<Settlement, boolean>;
  readonly #waiting: Pick<Waiting, 'moved'>;
  readonly #now: () => number;
  #unsettled = 0;
  /** When one was last written, or the first of those that wait came. */
  #progressAt = 0;
  #stopping = false;
  /** Grows when all that is not written yet is given up. */
  #generation = 0;

  constructor(
    store: Pick<Store, 'settle' | 'queuesWrites'>,
    waiting: Pick<Waiting, 'moved'>,
    now: () => number,
  ) {
    this.#waiting = waiting;
    this.#now = now;
    this.#batcher = new Batcher({
      write: (settlements) => store.settle(settlements),
      maxItems: MAX_SETTLEMENTS_PER_COMMIT,
      maxWrites: store.queuesWrites ? 2 : 1,
      hold: store.queuesWrites ? SHORT_HOLD : LONG_HOLD,
    });
  }

  /** True while so much or so long waits for the disk that nothing more should be sent. */
  get isFull(): boolean {
    if (this.#unsettled === 0) return false;
    return this.#unsettled >= MAX_UNSETTLED || this.#now() - this.#progressAt > MAX_STALLED_MS;
  }

  /**
   * Tries until it is written: what was sent must be on record, else it would be sent again. What
   * the store says of it; undefined when it was given up.
   */
  async settle(settlement: Settlement): Promise<boolean | undefined> {
    if (this.#unsettled === 0) this.#progressAt = this.#now();
    this.#unsettled += 1;
    const generation = this.#generation;
    let written = await this.#tryOnce(settlement);
    while (written === undefined && !this.#stopping && generation === this.#generation) {
      await new Promise((resolve) => setTimeout(resolve, AGAIN_AFTER_MS));
      if (generation !== this.#generation) break;
      written = await this.#tryOnce(settlement);
    }
    this.#unsettled -= 1;
    return written;
  }

  /** Hands what waits to the store now: what else goes there in this turn shares its commit. */
  flush(): void {
    this.#batcher.flush();
  }

  /** What is not written yet is not tried again; resolves when nothing is being written. */
  abandon(): Promise<void> {
    this.#generation += 1;
    return this.#batcher.idle();
  }

  /** What cannot be written now is given up: the next start sends it again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#batcher.idle();
  }

  async #tryOnce(settlement: Settlement): Promise<boolean | undefined> {
    try {
      const moved = await this.#batcher.add(settlement);
      const { tenant, next } = settlement;
      if (moved) this.#waiting.moved(tenant, 'pending', next.state);
      this.#progressAt = this.#now();
      return moved;
    } catch {
      return undefined;
    }
  }
}
