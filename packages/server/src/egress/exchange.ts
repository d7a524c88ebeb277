import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { Outcome } from '../core/outcome.ts';
import { codeOf, exchangeOutcome, Failure } from './failure.ts';
import { isHeadWithinLimits, MAX_HEAD_BYTES, MAX_WIRE_BYTES } from './head-limit.ts';
import { type ParsedHeaders, ResponseCollector } from './response.ts';

/** What came of a request on one connection. */
export type ExchangeEnd = {
  readonly outcome: Outcome;
  /** The connection was used before and died without one byte of an answer: the server had closed it. */
  readonly wasStale: boolean;
  /** The server sent `100 Continue` unasked, which undici cannot read past. */
  readonly sentContinue: boolean;
};

/** What an exchange needs to know of the connection it runs on. */
export type Line = {
  readonly socket: Socket;
  /** It carried a request before. */
  readonly wasUsed: boolean;
  /** The first error of the socket, which later ones hide. */
  readonly firstError: Error | undefined;
};

/** One request and its answer, in undici's terms on one side and as an outcome on the other. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #collector = new ResponseCollector();
  readonly #line: Line;
  readonly #bytesBefore: number;
  readonly #onEnd: (end: ExchangeEnd) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #hasBegun = false;
  #ended = false;

  /** `onEnd` is called exactly once. */
  constructor(line: Line, onEnd: (end: ExchangeEnd) => void) {
    this.#line = line;
    this.#bytesBefore = line.socket.bytesRead;
    this.#onEnd = onEnd;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  /** The first byte of an answer to this very request. */
  onResponseStarted(): void {
    this.#hasBegun = true;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: ParsedHeaders,
  ): void {
    if (status >= 200) this.#collector.head(status, headers);
    else if (!this.#collector.interim()) {
      controller.abort(new Failure({ kind: 'protocol_error', code: 'TOO_MANY_INTERIM_RESPONSES' }));
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (!this.#collector.data(chunk))
      controller.abort(new Failure({ kind: 'protocol_error', code: 'BODY_CUT' }));
  }

  onResponseEnd(): void {
    this.#end({ outcome: this.#collector.outcome(false), wasStale: false, sentContinue: false });
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.fail(error);
  }

  /**
   * Bytes have come and are not parsed yet. The parser knows no limit for what it throws away, such
   * as chunk extensions, and goes on for the rest of a chunk of headers that are too many.
   */
  inspect(): void {
    const { socket } = this.#line;
    if (this.#ended) return;
    if (socket.bytesRead - this.#bytesBefore > MAX_WIRE_BYTES) {
      this.abort(new Failure({ kind: 'protocol_error', code: 'RESPONSE_TOO_LARGE' }));
    } else if (!this.#collector.hasHead && socket.readableLength > MAX_HEAD_BYTES) {
      const waiting: unknown = socket.read();
      if (!Buffer.isBuffer(waiting)) return;
      if (isHeadWithinLimits(waiting)) socket.unshift(waiting);
      else this.abort(new Failure({ kind: 'headers_too_large' }));
    }
  }

  /** The deadline has come, or the egress is closing. */
  abort(failure: Failure): void {
    this.#controller?.abort(failure);
    this.fail(failure);
  }

  fail(error: unknown): void {
    if (this.#collector.hasHead) {
      this.#end({ outcome: this.#collector.outcome(true), wasStale: false, sentContinue: false });
      return;
    }
    const cause = error instanceof Failure ? error : (this.#line.firstError ?? error);
    const outcome = exchangeOutcome(cause);
    this.#end({
      outcome,
      wasStale: this.#line.wasUsed && !this.#hasBegun && outcome.kind === 'connect_error',
      sentContinue: this.#hasBegun && isBadResponse(error),
    });
  }

  #end(end: ExchangeEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(end);
  }
}

/** How undici reports a final-looking answer where none can be: in practice `100 Continue`. */
function isBadResponse(error: unknown): boolean {
  return (
    codeOf(error) === 'UND_ERR_SOCKET' && error instanceof Error && error.message === 'bad response'
  );
}
