import type { MessagePort } from 'node:worker_threads';
import type { Registration } from '../core/registration.ts';
import type { Egress } from '../egress/port.ts';
import { makeAttempt, type SendingDeps } from './attempt.ts';
import {
  type Flat,
  type Listener,
  type News,
  type Order,
  pushMade,
  readTasks,
} from './protocol.ts';

export type ThreadDeps = SendingDeps & {
  readonly egress: Egress;
  /** Nothing is sent to these. */
  readonly onListeners: (listeners: readonly Listener[]) => void;
};

/** With fewer in flight, each end is told as soon as it is known. */
const FEW = 16;
/** Ends are held back for so many, or so long: each message costs as much as telling several. */
const TOLD_AT_ONCE = 16;
const HELD_BACK_MS = 1;

/** Makes the attempts that are ordered through `port`, for as long as it is open. */
export function runSendingThread(port: MessagePort, deps: ThreadDeps): void {
  const thread = new SendingThread(port, deps);
  port.on('message', (order: Order) => thread.take(order));
}

/** The inside of a sending thread: takes orders and makes the attempts. */
class SendingThread {
  readonly #port: MessagePort;
  readonly #deps: ThreadDeps;
  readonly #registrations = new Map<number, Registration>();
  #inFlight = 0;
  #made: Flat[number][] = [];
  #ends = 0;
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: MessagePort, deps: ThreadDeps) {
    this.#port = port;
    this.#deps = deps;
  }

  take(order: Order): void {
    switch (order.kind) {
      case 'send':
        return this.#send(order.rows);
      case 'know':
        return void this.#registrations.set(order.handle, order.registration);
      case 'unknow':
        return this.#registrations.clear();
      case 'forget':
        return this.#forget(order.registrationKey, order.handle);
      case 'listeners':
        return this.#deps.onListeners(order.listeners);
      case 'close':
        return void this.#close();
    }
  }

  #forget(registrationKey: string, handle: number | null): void {
    if (handle !== null) this.#registrations.delete(handle);
    this.#deps.egress.forget(registrationKey);
  }

  #send(rows: Flat): void {
    for (const { ticket, handle, delivery } of readTasks(rows)) {
      const registration = this.#registrations.get(handle);
      if (registration === undefined) throw new Error('a registration that was never told');
      this.#inFlight += 1;
      void makeAttempt(this.#deps, registration, delivery).then((made) => {
        this.#inFlight -= 1;
        this.#ends += 1;
        pushMade(this.#made, ticket, made);
        this.#arrange();
      });
    }
  }

  #arrange(): void {
    if (this.#inFlight < FEW || this.#ends >= TOLD_AT_ONCE) this.#turn ??= setImmediate(this.#tell);
    else this.#timer ??= setTimeout(this.#tell, HELD_BACK_MS);
  }

  readonly #tell = (): void => {
    clearImmediate(this.#turn);
    clearTimeout(this.#timer);
    this.#turn = undefined;
    this.#timer = undefined;
    if (this.#ends === 0) return;
    const rows = this.#made;
    this.#made = [];
    this.#ends = 0;
    this.#port.postMessage({ kind: 'made', rows } satisfies News);
  };

  async #close(): Promise<void> {
    await this.#deps.egress.close();
    // What was cancelled has told its end by the next turn.
    setImmediate(() => {
      this.#tell();
      this.#port.postMessage({ kind: 'closed' } satisfies News);
      this.#port.close();
    });
  }
}
