type Waiting<In, Out> = {
  readonly item: In;
  readonly resolve: (result: Out) => void;
  readonly reject: (error: unknown) => void;
};

export type BatcherOptions<In, Out> = {
  /** Writes all of them; one result each, in order. */
  readonly write: (items: readonly In[]) => Promise<readonly Out[]>;
  readonly maxItems: number;
  /** Writes that may run at once, where there is enough to write or `flush` asks for it; one where absent. */
  readonly maxWrites?: number;
  /** Items that come to so much together wait for nothing more. */
  readonly enough?: { readonly size: number; readonly sizeOf: (item: In) => number };
  /** For what nobody waits for: items stay until there are so many, or for so long, or until `flush`. */
  readonly hold?: Hold<In>;
  /** For how many milliseconds no write begins after one that took so many. */
  readonly restMs?: (tookMs: number) => number;
};

export type Hold<In> = {
  readonly items: number;
  readonly ms: number;
  /** For which of them somebody waits all the same: one of these takes all along. */
  readonly isUrgent?: (item: In) => boolean;
};

/**
 * Group commit: collects while the previous write runs, and then for the rest of the event loop's
 * turn, and writes all that came as one batch; sooner where there is enough for one, so that who
 * writes need not wait for who collects. Unless it holds there is no timer, so a lone item waits
 * for nothing and a crowd shares the cost of one commit.
 */
export class Batcher<In, Out> {
  readonly #options: BatcherOptions<In, Out>;
  #waiting: Waiting<In, Out>[] = [];
  #waitingSize = 0;
  #isUrgent = false;
  #writes = 0;
  #restsUntil = 0;
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
      this.#waitingSize += this.#sizeOf(item);
      this.#isUrgent ||= this.#options.hold?.isUrgent?.(item) ?? false;
      this.#arrange();
    });
  }

  /** Hands over what waits in this very turn, unless as many writes run as may. */
  flush(): void {
    if (this.#mayWrite && this.#waiting.length > 0) void this.#writeNext();
  }

  /** Resolves when nothing is waiting or being written. */
  idle(): Promise<void> {
    if (this.#writes === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.flush();
    });
  }

  /** Sees to it that what waits is written in time. */
  #arrange(): void {
    if (!this.#mayWrite || this.#waiting.length === 0) return;
    const { hold, enough } = this.#options;
    if (enough !== undefined && this.#waitingSize >= enough.size) return this.flush();
    if (this.#writes > 0) return;
    const waitMs = this.#idle.length > 0 || this.#isUrgent ? 0 : this.#waitMs(hold);
    if (waitMs > 0) this.#timer ??= setTimeout(() => this.flush(), waitMs);
    else this.#turn ??= setImmediate(() => this.flush());
  }

  #waitMs(hold: Hold<In> | undefined): number {
    const held = hold !== undefined && this.#waiting.length < hold.items ? hold.ms : 0;
    return this.#restsUntil === 0 ? held : Math.max(held, this.#restsUntil - performance.now());
  }

  get #mayWrite(): boolean {
    return this.#writes < (this.#options.maxWrites ?? 1);
  }

  async #writeNext(): Promise<void> {
    this.#writes += 1;
    this.#disarm();
    const batch = this.#take();
    const from = performance.now();
    try {
      const results = await this.#options.write(batch.map((waiting) => waiting.item));
      settleAll(batch, results);
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
    }
    this.#writes -= 1;
    this.#rest(from, performance.now());
    this.#arrange();
    if (this.#writes === 0 && this.#waiting.length === 0) this.#tellIdle();
  }

  #rest(from: number, now: number): void {
    const ms = this.#options.restMs?.(now - from) ?? 0;
    this.#restsUntil = ms > 0 ? now + ms : 0;
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
    const taken = this.#waiting;
    this.#waiting = taken.splice(this.#options.maxItems);
    this.#waitingSize = this.#waiting.reduce((sum, { item }) => sum + this.#sizeOf(item), 0);
    // What is left is as urgent as a full batch: there was more than one of those.
    this.#isUrgent = this.#waiting.length > 0;
    return taken;
  }

  #sizeOf(item: In): number {
    return this.#options.enough?.sizeOf(item) ?? 0;
  }
}

function settleAll<In, Out>(batch: readonly Waiting<In, Out>[], results: readonly Out[]): void {
  if (results.length !== batch.length) {
    throw new Error(`a batch of ${batch.length} came back with ${results.length} results`);
  }
  results.forEach((result, index) => batch[index]?.resolve(result));
}
