import { Worker } from 'node:worker_threads';
import { AppError } from '../../core/errors.ts';
import type { Answer, Request, WorkerError } from './protocol.ts';

type Waiting = {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
};

/**
 * Calls functions of a worker thread. Calls of one turn travel together, so that the worker writes
 * them together; answers come in batches. Rejects everything when the worker dies.
 */
export class Channel {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #outbox: Request[] = [];
  #nextId = 1;
  #ended: Error | undefined;

  constructor(entry: URL, data: unknown) {
    this.#worker = new Worker(entry, { workerData: data });
    this.#worker.on('message', (answers: readonly Answer[]) => this.#receive(answers));
    this.#worker.on('error', (error) =>
      this.#end(error instanceof Error ? error : new Error(String(error))),
    );
    this.#worker.on('exit', () =>
      this.#end(
        new AppError('unavailable', 'The thread of the store has ended. Start Schoolbell again.'),
      ),
    );
  }

  call<T>(method: string, ...args: readonly unknown[]): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = this.#nextId;
      this.#nextId += 1;
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      if (this.#outbox.length === 0) queueMicrotask(() => this.#post());
      this.#outbox.push({ id, method, args });
    });
  }

  /** Lets the worker finish what it has, then ends it. */
  async close(): Promise<void> {
    if (this.#ended === undefined) await this.call('close').catch(() => undefined);
    await this.#worker.terminate();
  }

  #post(): void {
    const requests = this.#outbox;
    this.#outbox = [];
    this.#worker.postMessage(requests);
  }

  #receive(answers: readonly Answer[]): void {
    for (const answer of answers) {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.ok) waiting?.resolve(answer.value);
      else waiting?.reject(toError(answer.error));
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#ended);
    this.#waiting.clear();
  }
}

/** SQLite's codes for a store that cannot be used now, and what to tell. */
const UNAVAILABLE: ReadonlyMap<number, string> = new Map([
  [5, 'The store is busy.'],
  [6, 'The store is locked.'],
  [8, 'The store is read-only: check the rights of the data folder.'],
  [10, 'The disk of the store reports an error.'],
  [13, 'The disk of the store is full.'],
]);
const TRY_AGAIN_AFTER_SECONDS = 5;
/** Codes for a file whose content is wrong: no time heals that. */
const DAMAGED: readonly number[] = [11, 26];

function toError({ message, sqliteCode }: WorkerError): Error {
  const reason = sqliteCode === null ? undefined : UNAVAILABLE.get(sqliteCode);
  if (sqliteCode !== null && DAMAGED.includes(sqliteCode)) {
    return new AppError('unavailable', 'The store is damaged. Restore it from a backup.', {
      cause: new Error(message),
    });
  }
  if (reason === undefined) return new Error(message);
  const detail = { retryAfterSeconds: TRY_AGAIN_AFTER_SECONDS, cause: new Error(message) };
  return new AppError('unavailable', `${reason} Nothing was written; try again later.`, detail);
}
