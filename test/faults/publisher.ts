import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export type PublisherSettings = {
  /** Where to publish now: another server each time, where there are several. */
  readonly url: () => string;
  readonly key: string;
  /** Calls under way at once. */
  readonly calls: number;
  /** Events a second over all calls; 0 for as many as are answered. */
  readonly rate: number;
  readonly eventsPerCall: number;
  /** One call in so many that is not answered is given up, not repeated; 0 for none. */
  readonly abandonEvery: number;
  /** Publishing ends by itself after so many events. */
  readonly maxEvents: number;
};

const PAUSE_MS = 20;
/** A server that stands still is given up, and another one asked. */
const ANSWERED_WITHIN_MS = 3000;

/** Publishes numbered events and remembers what it was told about each. */
export class Publisher {
  readonly #settings: PublisherSettings;
  readonly #from = performance.now();
  #next = 0;
  #stopped = false;
  #givenUp = false;
  #running: Promise<unknown> = Promise.resolve();
  /** SHA-256 of the text of each acknowledged notification, by its number. */
  readonly acknowledged = new Map<number, string>();
  /** Numbers whose calls broke off and were not repeated: accepted or not, nobody knows. */
  readonly unknown = new Map<number, string>();
  /** Calls that were told to come back: 429 or 503. */
  refused = 0;
  /** What no publisher may be told. */
  readonly problems: string[] = [];

  constructor(settings: PublisherSettings) {
    this.#settings = settings;
  }

  start(): void {
    const calls = Array.from({ length: this.#settings.calls }, () => this.#publish());
    this.#running = Promise.all(calls);
  }

  /** Resolves when every event that was begun is acknowledged or given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Begins nothing more, and repeats nothing: for when nobody wants to know any more. */
  giveUp(): void {
    this.#stopped = true;
    this.#givenUp = true;
  }

  /** Resolves when `maxEvents` were published. */
  async done(): Promise<void> {
    await this.#running;
  }

  /** Publishes acknowledged events again with their keys: none of them may become another event. */
  async repeat(count: number): Promise<void> {
    const { eventsPerCall } = this.#settings;
    const numbers = [...this.acknowledged.keys()].filter((n) => n % eventsPerCall === 0);
    for (const n of numbers.slice(-count)) await this.#call(n, bodyOf(n, eventsPerCall));
  }

  async #publish(): Promise<void> {
    const { eventsPerCall, maxEvents, rate } = this.#settings;
    while (!this.#stopped && this.#next < maxEvents) {
      const n = this.#next;
      this.#next += eventsPerCall;
      if (rate > 0) await sleep(Math.max(0, this.#from + (n / rate) * 1000 - performance.now()));
      await this.#publishUntilKnown(n, bodyOf(n, eventsPerCall));
    }
  }

  async #publishUntilKnown(n: number, body: string): Promise<void> {
    const { abandonEvery, eventsPerCall } = this.#settings;
    while (!this.#givenUp) {
      const answer = await this.#call(n, body);
      if (answer === 'acknowledged') return;
      if (answer === 'refused') this.refused += 1;
      else if (abandonEvery > 0 && (n / eventsPerCall) % abandonEvery === 0)
        return this.#remember(this.unknown, n);
      await sleep(PAUSE_MS);
    }
  }

  async #call(n: number, body: string): Promise<'acknowledged' | 'refused' | 'broken'> {
    try {
      const response = await fetch(`${this.#settings.url()}/webhooks/events`, {
        method: 'POST',
        body,
        signal: AbortSignal.timeout(ANSWERED_WITHIN_MS),
        headers: {
          authorization: `Bearer ${this.#settings.key}`,
          'content-type': 'application/json',
          'idempotency-key': String(n),
        },
      });
      const text = await response.text();
      if (response.status === 202) return this.#acknowledge(n, text);
      if (response.status !== 429 && response.status !== 503)
        this.problems.push(`publishing ${n} was answered ${response.status}: ${text}`);
      return 'refused';
    } catch {
      return 'broken';
    }
  }

  readonly #answers = new Map<number, string>();

  #acknowledge(n: number, answer: string): 'acknowledged' {
    const before = this.#answers.get(n);
    if (before !== undefined && before !== answer)
      this.problems.push(`the key ${n} was answered ${before}, and then ${answer}`);
    this.#answers.set(n, answer);
    this.#remember(this.acknowledged, n);
    return 'acknowledged';
  }

  #remember(where: Map<number, string>, n: number): void {
    for (let each = n; each < n + this.#settings.eventsPerCall; each += 1)
      where.set(each, createHash('sha256').update(textOf(each)).digest('hex'));
  }
}

function bodyOf(n: number, eventsPerCall: number): string {
  if (eventsPerCall === 1) return textOf(n);
  return `[${Array.from({ length: eventsPerCall }, (_, at) => textOf(n + at)).join(',')}]`;
}

/** With what a parser that writes JSON again would change. */
function textOf(n: number): string {
  return `{"Action":"CourseCompleted", "N":${n}, "exact":1.0, "big":12345678901234567890}`;
}
