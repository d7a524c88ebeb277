/** What a detector must remember between two starts of a receiver. */
export type GapState = {
  /** Every number up to this one has come. */
  readonly complete: number;
  /** Numbers beyond it that have come too, in order. */
  readonly beyond: readonly number[];
};

/** Numbers beyond the first gap that are remembered. */
const MAX_BEYOND = 100_000;

/**
 * Tells which deliveries of one registration have not come, by the numbers of those that have:
 * `schoolbell-sequence` counts 1, 2, 3 without gaps. Retries come late and again, so what is missing
 * now may be on its way: the feed tells. The header is not signed; it may be wrong where the
 * connection is not HTTPS.
 */
export class GapDetector {
  #complete: number;
  readonly #beyond: Set<number>;

  /** Begins before the first delivery, after a number, or where an earlier one ended. */
  constructor(start: number | GapState = 0) {
    const state = typeof start === 'number' ? { complete: start, beyond: [] } : start;
    this.#complete = state.complete;
    this.#beyond = new Set(state.beyond);
    this.#advance();
  }

  /** The highest number that has come. */
  get last(): number {
    let last = this.#complete;
    for (const sequence of this.#beyond) last = Math.max(last, sequence);
    return last;
  }

  get state(): GapState {
    return { complete: this.#complete, beyond: [...this.#beyond].toSorted((a, b) => a - b) };
  }

  /**
   * Notes that a delivery has come. False for one that had come before, and for what is no number of
   * a delivery. Throws when more have come after a gap than can be remembered.
   */
  note(sequence: number): boolean {
    const isNew = sequence > this.#complete && !this.#beyond.has(sequence);
    if (!Number.isSafeInteger(sequence) || !isNew) return false;
    if (this.#beyond.size >= MAX_BEYOND && sequence !== this.#complete + 1)
      throw new RangeError(
        `${MAX_BEYOND} deliveries have come after number ${this.#complete + 1}, which has not. Read the feed, and begin again behind it.`,
      );
    this.#beyond.add(sequence);
    this.#advance();
    return true;
  }

  /** Numbers below the last that have not come, lowest first; at most `limit` of them. */
  missing(limit = 1000): readonly number[] {
    const missing: number[] = [];
    const { last } = this;
    for (let n = this.#complete + 1; n < last && missing.length < limit; n += 1)
      if (!this.#beyond.has(n)) missing.push(n);
    return missing;
  }

  #advance(): void {
    while (this.#beyond.delete(this.#complete + 1)) this.#complete += 1;
  }
}
