import type { Socket } from 'node:net';
import type { Outcome } from '../core/outcome.ts';
import { Answer } from './answer.ts';
import { endsSoonAt } from './certificate.ts';
import { exchangeOutcome, Failure } from './failure.ts';
import type { Shelf } from './pool.ts';
import type { OutboundRequest } from './port.ts';
import { requestBytes } from './request.ts';
import type { Target } from './uri.ts';

const MAX_USES = 1000;

/** What came of a request on one connection. */
export type ExchangeEnd = {
  readonly outcome: Outcome;
  /** The connection was used before and died without one byte of an answer: the server had closed it. */
  readonly wasStale: boolean;
};

type Exchange = { readonly answer: Answer; readonly onEnd: (end: ExchangeEnd) => void };

/** HTTP/1.1 on one open socket: one request at a time. */
export class Connection {
  readonly shelf: Shelf;
  /** When the certificate of the other end runs out, where that is soon. */
  readonly certificateEndsAt: number | undefined;
  readonly #socket: Socket;
  readonly #onClosed: () => void;
  /** The first error of the socket, which later ones hide. */
  #error: Error | undefined;
  #exchange: Exchange | undefined;
  #uses = 0;
  #idleMs = 0;
  #idleSince = 0;
  #closed = false;
  #gone = false;

  /** `onClosed` is called once, when the socket has gone for whatever reason. */
  constructor(socket: Socket, shelf: Shelf, onClosed: () => void) {
    this.shelf = shelf;
    shelf.open += 1;
    this.#socket = socket;
    this.#onClosed = onClosed;
    this.certificateEndsAt = endsSoonAt(socket, Date.now());
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => this.#onClose());
  }

  /** True while another request may be sent on it. */
  get isUsable(): boolean {
    return !this.#closed && !this.#socket.destroyed && this.#uses < MAX_USES && this.#idleMs > 0;
  }

  /** True when it has waited for a request as long as it may. */
  isTooOld(now: number): boolean {
    return now - this.#idleSince >= this.#idleMs;
  }

  /** From now on it waits for a request. */
  startIdle(now: number): void {
    this.#idleSince = now;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
  }

  /** Sends one request. `onEnd` is called exactly once, and never before this has returned. */
  exchange(request: OutboundRequest, target: Target, onEnd: (end: ExchangeEnd) => void): void {
    this.#uses += 1;
    this.#idleMs = 0;
    this.#exchange = { answer: new Answer(), onEnd };
    // What is gone already says so no more.
    if (this.#socket.destroyed) return void setImmediate(() => this.#onClose());
    try {
      this.#socket.write(requestBytes(request, target));
    } catch (error) {
      setImmediate(() => this.abort(error));
    }
  }

  /** Ends what is under way: the deadline has come, or the egress is closing. */
  abort(error: unknown): void {
    this.close();
    this.#fail(error);
  }

  /** What comes while nothing is under way is nobody's answer. */
  #onData(bytes: Buffer): void {
    if (this.#exchange === undefined) return this.close();
    const { answer } = this.#exchange;
    let taken: number;
    try {
      taken = answer.read(bytes);
    } catch (error) {
      return this.abort(error);
    }
    if (answer.isComplete) this.#onAnswer(answer, taken < bytes.length);
  }

  /** A request that was not read to its end, or an answer with something behind it, are the last. */
  #onAnswer(answer: Answer, hasMore: boolean): void {
    this.#idleMs = hasMore || this.#socket.writableLength > 0 ? 0 : answer.idleMs;
    this.#end({ outcome: answer.outcome(false), wasStale: false });
  }

  #onEnd(): void {
    const answer = this.#exchange?.answer;
    answer?.end();
    if (answer?.isComplete === true) this.#onAnswer(answer, false);
    this.close();
  }

  #onClose(): void {
    this.#closed = true;
    this.#fail(this.#error ?? new Failure({ kind: 'connect_error', code: 'ECONNRESET' }));
    if (this.#gone) return;
    this.#gone = true;
    this.#onClosed();
  }

  #fail(error: unknown): void {
    if (this.#exchange === undefined) return;
    const { answer } = this.#exchange;
    if (answer.hasHead) return this.#end({ outcome: answer.outcome(true), wasStale: false });
    const outcome = exchangeOutcome(error);
    const wasStale = this.#uses > 1 && !answer.hasBegun && outcome.kind === 'connect_error';
    this.#end({ outcome, wasStale });
  }

  #end(end: ExchangeEnd): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.onEnd(end);
  }
}
