type Waiting<In, Out> = {
  readonly item: In;
  readonly resolve: (result: Out) => void;
  readonly reject: (error: unknown) => void;
};

export type BatcherOptions<In, Out> = {
  /** Writes all of them; one result each, in order. */
  readonly write: (items: readonly In[]) => Promise<readonly Out[]>;
  readonly maxItems: number;
};

/**
 * Group commit: collects while the previous write runs and then writes all that came as one batch.
 * There is no timer, so a lone item waits for nothing and a crowd shares the cost of one commit.
 */
export class Batcher<In, Out> {
  readonly #options: BatcherOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #writing = false;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions<In, Out>) {
    this.#options = options;
  }

  /** Items that are not written yet, the running batch left out. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with the item's own result once its batch is written; rejects when the batch failed. */
  add(item: In): Promise<Out> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#writing) void this.#drain();
    });
  }

  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void> {
    if (!this.#writing) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) await this.#writeNext();
    this.#writing = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  async #writeNext(): Promise<void> {
    const batch = this.#take();
    try {
      const results = await this.#options.write(batch.map((waiting) => waiting.item));
      settleAll(batch, results);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
  }

  #take(): Waiting<In, Out>[] {
    if (this.#waiting.length <= this.#options.maxItems) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, this.#options.maxItems);
  }
}

function settleAll<In, Out>(batch: readonly Waiting<In, Out>[], results: readonly Out[]): void {
  if (results.length !== batch.length) {
    throw new Error(`a batch of ${batch.length} came back with ${results.length} results`);
  }
  results.forEach((result, index) => batch[index]?.resolve(result));
}
