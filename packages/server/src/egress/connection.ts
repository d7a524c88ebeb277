import type { Socket } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { Outcome } from '../core/outcome.ts';
import { codeOf, exchangeOutcome, Failure } from './failure.ts';
import type { OutboundRequest } from './port.ts';
import { MAX_HEAD_BYTES, type ParsedHeaders, ResponseCollector } from './response.ts';
import type { Target } from './uri.ts';

export const MAX_IDLE_MS = 30_000;
const MAX_USES = 1000;

/** What came of a request on one connection. */
export type ExchangeEnd = {
  readonly outcome: Outcome;
  /** The connection was used before and died without one byte of an answer: the server had closed it. */
  readonly wasStale: boolean;
  /** The server sent `100 Continue` unasked, which undici cannot read past. */
  readonly sentContinue: boolean;
};

/** One socket with undici's HTTP/1.1 on it: one request at a time. */
export class Connection {
  readonly #client: Client;
  readonly #socket: Socket;
  #uses = 0;
  #closed = false;
  idleSince = 0;

  /** `onClosed` is called once, when the socket has gone for whatever reason. */
  constructor(socket: Socket, target: Target, onClosed: () => void) {
    this.#socket = socket;
    let given = false;
    this.#client = new Client(`${target.secure ? 'https' : 'http'}://${target.host}`, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: MAX_IDLE_MS,
      keepAliveMaxTimeout: MAX_IDLE_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      allowH2: false,
      connect: (_options, callback) => {
        const gone = given ? new Failure({ kind: 'connect_error', code: 'ECONNRESET' }) : null;
        given = true;
        queueMicrotask(() => (gone === null ? callback(null, socket) : callback(gone, null)));
      },
    });
    this.#client.on('disconnect', () => {
      this.close();
      onClosed();
    });
  }

  /** True while another request may be sent on it. */
  get isUsable(): boolean {
    return !this.#closed && !this.#socket.destroyed && this.#uses < MAX_USES;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.destroy().catch(() => undefined);
  }

  /** Sends one request; `onEnd` is called exactly once. Returns a function that ends it early. */
  exchange(
    request: OutboundRequest,
    target: Target,
    onEnd: (end: ExchangeEnd) => void,
  ): (failure: Failure) => void {
    this.#uses += 1;
    const exchange = new Exchange(this.#socket, this.#uses > 1, onEnd);
    try {
      this.#client.dispatch(
        {
          method: request.method,
          path: target.path,
          headers: flatHeaders(request, target),
          body: request.body,
        },
        exchange,
      );
    } catch (error) {
      exchange.fail(error);
    }
    return (failure) => exchange.abort(failure);
  }
}

function flatHeaders(request: OutboundRequest, target: Target): string[] {
  const flat = ['host', target.host];
  for (const [name, value] of request.headers) flat.push(name, value);
  return flat;
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #collector = new ResponseCollector();
  readonly #socket: Socket;
  readonly #wasUsed: boolean;
  readonly #bytesBefore: number;
  readonly #onEnd: (end: ExchangeEnd) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #ended = false;

  constructor(socket: Socket, wasUsed: boolean, onEnd: (end: ExchangeEnd) => void) {
    this.#socket = socket;
    this.#wasUsed = wasUsed;
    this.#bytesBefore = socket.bytesRead;
    this.#onEnd = onEnd;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
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

  /** The deadline has come, or the egress is closing. */
  abort(failure: Failure): void {
    if (this.#controller === undefined) this.fail(failure);
    else this.#controller.abort(failure);
    this.fail(failure);
  }

  fail(error: unknown): void {
    if (this.#collector.hasHead) {
      this.#end({ outcome: this.#collector.outcome(true), wasStale: false, sentContinue: false });
      return;
    }
    const silent = this.#socket.bytesRead === this.#bytesBefore;
    const outcome = exchangeOutcome(error);
    this.#end({
      outcome,
      wasStale: this.#wasUsed && silent && outcome.kind === 'connect_error',
      sentContinue: isBadResponse(error),
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
