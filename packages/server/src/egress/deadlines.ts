/** What a deadline is kept for; the links belong to the queue that it is in. */
export type Timed = {
  /** Called once, when the deadline has passed. */
  expire(): void;
  /** Called in its place when the queue is closed. */
  cancel(): void;
  /** 0 outside a queue. */
  expiresAt: number;
  before: Timed | undefined;
  behind: Timed | undefined;
};

const TICK_MS = 100;

/**
 * Deadlines that all lie the same time ahead, in the order in which they fall due: one timer for
 * thousands of requests, and nothing left of those that ended in time. They are met up to a tenth
 * of a second late.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  #first: Timed | undefined;
  #last: Timed | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Starts the clock of one that is in no queue. */
  add(timed: Timed): void {
    timed.expiresAt = performance.now() + this.#timeoutMs;
    timed.before = this.#last;
    if (this.#last === undefined) this.#first = timed;
    else this.#last.behind = timed;
    this.#last = timed;
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
  }

  /** Stops its clock, if it runs. */
  remove(timed: Timed): void {
    if (timed.expiresAt === 0) return;
    timed.expiresAt = 0;
    const { before, behind } = timed;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    timed.before = undefined;
    timed.behind = undefined;
  }

  close(): void {
    for (let timed = this.#first; timed !== undefined; timed = this.#first) {
      this.remove(timed);
      timed.cancel();
    }
    this.#stop();
  }

  #tick(): void {
    const now = performance.now();
    for (let timed = this.#first; timed !== undefined; timed = this.#first) {
      if (timed.expiresAt > now) return;
      this.remove(timed);
      timed.expire();
    }
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
