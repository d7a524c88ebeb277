/** `expire` goes when it is not wanted any more, and with it the request that it holds. */
type Entry = { readonly at: number; expire: (() => void) | undefined };

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
    const entry: Entry = { at: performance.now() + this.#timeoutMs, expire };
    this.#entries.push(entry);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return () => {
      entry.expire = undefined;
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
      if (entry.expire !== undefined && entry.at > now) break;
      head += 1;
      entry.expire?.();
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
