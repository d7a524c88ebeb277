type Entry = { readonly at: number; readonly expire: () => void; done: boolean };

const TICK_MS = 100;

/**
 * Deadlines that all lie the same time ahead: one timer for thousands of requests. They are met up
 * to a tenth of a second late.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  #entries: Entry[] = [];
  #head = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Calls `expire` after the timeout unless the returned function was called before. */
  add(expire: () => void): () => void {
    const entry: Entry = { at: performance.now() + this.#timeoutMs, expire, done: false };
    this.#entries.push(entry);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return () => {
      entry.done = true;
    };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const entries = this.#entries;
    let head = this.#head;
    for (let entry = entries[head]; entry !== undefined; entry = entries[head]) {
      if (!entry.done && entry.at > now) break;
      head += 1;
      if (!entry.done) entry.expire();
    }
    this.#head = head;
    if (head === entries.length) {
      this.#entries = [];
      this.#head = 0;
      this.close();
    } else if (head > 4096) {
      this.#entries = entries.slice(head);
      this.#head = 0;
    }
  }
}
