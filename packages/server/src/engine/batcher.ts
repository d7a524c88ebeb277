type Waiting<In, Out> = {
  readonly item: In;
  readonly resolve: (result: Out) => void;
  readonly reject: (error: unknown) => void;
};

export type BatcherOptions<In, Out> = {
  /** Writes all of them; one result each, in order. */
  readonly write: (items: readonly In[]) => Promise<readonly Out[]>;
  readonly maxItems: number;
  /** For what nobody waits for: items stay until there are so many, or for so long, or until `flush`. */
  readonly hold?: { readonly items: number; readonly ms: number };
};

/**
 * Group commit: collects while the previous write runs, and then for the rest of the event loop's
 * turn, and writes all that came as one batch. Unless it holds there is no timer, so a lone item
 * waits for nothing and a crowd shares the cost of one commit.
 */
export class Batcher<In, Out> {
  readonly #options: BatcherOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #writing = false;
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
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
      this.#arrange();
    });
  }

  /** Hands over what waits in this very turn, unless a write is running. */
  flush(): void {
    if (!this.#writing && this.#waiting.length > 0) void this.#writeNext();
  }

  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void> {
    if (!this.#writing && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.flush();
    });
  }

  /** Sees to it that what waits is written in time. */
  #arrange(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    const { hold } = this.#options;
    const mayWait = hold !== undefined && this.#idle.length === 0;
    if (mayWait && this.#waiting.length < hold.items)
      this.#timer ??= setTimeout(() => this.flush(), hold.ms);
    else this.#turn ??= setImmediate(() => this.flush());
  }

  async #writeNext(): Promise<void> {
    this.#writing = true;
    this.#disarm();
    const batch = this.#take();
    try {
      const results = await this.#options.write(batch.map((waiting) => waiting.item));
      settleAll(batch, results);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
    this.#writing = false;
    this.#arrange();
    if (this.#waiting.length === 0) this.#tellIdle();
  }

  #disarm(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#turn = undefined;
    this.#timer = undefined;
  }

  #tellIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
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
