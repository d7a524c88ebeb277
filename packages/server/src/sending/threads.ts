import { Worker } from 'node:worker_threads';
import type { MadeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import { shardOf } from '../core/shard.ts';
import type { BlockedRequest } from '../egress/client.ts';
import type { Sender } from './port.ts';
import {
  type Flat,
  type Listener,
  MADE_WIDTH,
  type News,
  type Order,
  outcomeAt,
  pushTask,
} from './protocol.ts';

export type SendingThreadsOptions = {
  readonly count: number;
  /** The module that is a thread's, and what it is told at its start. */
  readonly entry: URL;
  readonly data: unknown;
  readonly onBlocked: (blocked: BlockedRequest) => void;
};

/** Sends from threads of their own, each registration always from the same one. Call `start` first. */
export class SendingThreads implements Sender {
  readonly #options: SendingThreadsOptions;
  #threads: readonly Thread[] = [];

  constructor(options: SendingThreadsOptions) {
    this.#options = options;
  }

  /** Until then there is no thread, so that a start that is refused leaves none behind. */
  start(): void {
    this.#threads = Array.from({ length: this.#options.count }, () => new Thread(this.#options));
  }

  send(registration: Registration, delivery: Delivery): Promise<MadeAttempt> {
    const thread = this.#threads[shardOf(registration) % this.#threads.length];
    if (thread === undefined) throw new Error('the sending threads were not started');
    return thread.send(registration, delivery);
  }

  forget(key: string): void {
    for (const thread of this.#threads) thread.forget(key);
  }

  /** Nothing is sent to what this process listens on. */
  setListeners(listeners: readonly Listener[]): void {
    for (const thread of this.#threads) thread.tell({ kind: 'listeners', listeners });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

type Flight = {
  readonly delivery: Delivery;
  readonly resolve: (made: MadeAttempt) => void;
};

type Known = { readonly handle: number; readonly registration: Registration };

/** Registrations that a thread knows at a time. */
const MAX_KNOWN = 10_000;

/** One thread, from outside. */
class Thread {
  readonly #worker: Worker;
  readonly #flights = new Map<number, Flight>();
  readonly #known = new Map<string, Known>();
  #outbox: Flat[number][] = [];
  #ticket = 0;
  #handle = 0;
  #isClosing = false;
  readonly #closed = Promise.withResolvers<void>();

  constructor({ entry, data, onBlocked }: SendingThreadsOptions) {
    this.#worker = new Worker(entry, { workerData: data });
    this.#worker.on('message', (news: News) => {
      if (news.kind === 'made') this.#receive(news.rows);
      else if (news.kind === 'blocked') onBlocked(news.blocked);
      else this.#closed.resolve();
    });
    this.#worker.unref();
    // A mistake in there is as fatal as one out here: what was in flight is sent again after the next start.
    this.#worker.on('error', (error) => {
      throw error;
    });
  }

  send(registration: Registration, delivery: Delivery): Promise<MadeAttempt> {
    return new Promise((resolve) => {
      const handle = this.#handleOf(registration);
      this.#ticket += 1;
      // A thread that has nothing to do keeps no process alive.
      if (this.#flights.size === 0) this.#worker.ref();
      this.#flights.set(this.#ticket, { delivery, resolve });
      if (this.#outbox.length === 0) queueMicrotask(() => this.#post());
      pushTask(this.#outbox, { ticket: this.#ticket, handle, delivery });
    });
  }

  forget(key: string): void {
    const handle = this.#known.get(key)?.handle ?? null;
    this.#known.delete(key);
    this.tell({ kind: 'forget', registrationKey: key, handle });
  }

  /** Comes after all that was sent before. */
  tell(order: Order): void {
    this.#post();
    this.#worker.postMessage(order);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#worker.ref();
    this.tell({ kind: 'close' });
    await this.#closed.promise;
    await this.#worker.terminate();
  }

  /** The thread has each registration once, as it was when it was last sent to. */
  #handleOf(registration: Registration): number {
    const key = registrationKey(registration);
    const known = this.#known.get(key);
    if (known?.registration === registration) return known.handle;
    if (known === undefined && this.#known.size >= MAX_KNOWN) {
      this.#known.clear();
      this.tell({ kind: 'unknow' });
    }
    this.#handle += 1;
    const handle = known?.handle ?? this.#handle;
    this.#known.set(key, { handle, registration });
    this.tell({ kind: 'know', handle, registration });
    return handle;
  }

  #post(): void {
    if (this.#outbox.length === 0) return;
    const rows = this.#outbox;
    this.#outbox = [];
    this.#worker.postMessage({ kind: 'send', rows } satisfies Order);
  }

  #receive(rows: Flat): void {
    for (let at = 0; at < rows.length; at += MADE_WIDTH) {
      const ticket = Number(rows[at]);
      const flight = this.#flights.get(ticket);
      this.#flights.delete(ticket);
      flight?.resolve({
        deliveryId: flight.delivery.id,
        number: flight.delivery.attempts + 1,
        startedAt: Number(rows[at + 2]),
        durationMs: Number(rows[at + 3]),
        outcome: outcomeAt(rows, at),
        record: String(rows[at + 4]),
      });
    }
    if (this.#flights.size === 0 && !this.#isClosing) this.#worker.unref();
  }
}
