import type { Socket } from 'node:net';
import { Client } from 'undici';
import { endsSoonAt } from './certificate.ts';
import { Exchange, type ExchangeEnd, type Line } from './exchange.ts';
import { Failure } from './failure.ts';
import { MAX_HEAD_BYTES } from './head-limit.ts';
import type { Shelf } from './pool.ts';
import type { OutboundRequest } from './port.ts';
import type { Target } from './uri.ts';

export const MAX_IDLE_MS = 30_000;
const MAX_USES = 1000;

/** One socket with undici's HTTP/1.1 on it: one request at a time. */
export class Connection implements Line {
  readonly shelf: Shelf;
  readonly socket: Socket;
  /** When the certificate of the other end runs out, where that is soon. */
  readonly certificateEndsAt: number | undefined;
  /** The first error of the socket, which later ones hide. */
  firstError: Error | undefined;
  readonly #client: Client;
  #exchange: Exchange | undefined;
  #uses = 0;
  #closed = false;
  idleSince = 0;

  /** `onClosed` is called once, when the socket has gone for whatever reason. */
  constructor(socket: Socket, to: { target: Target; shelf: Shelf }, onClosed: () => void) {
    this.shelf = to.shelf;
    to.shelf.open += 1;
    this.socket = socket;
    this.certificateEndsAt = endsSoonAt(socket, Date.now());
    socket.once('error', (error) => {
      this.firstError = error;
    });
    socket.on('readable', () => this.#exchange?.inspect());
    this.#client = openClient(socket, to.target);
    this.#client.on('disconnect', () => {
      this.close();
      onClosed();
    });
  }

  /** It carried a request before the one that it carries now. */
  get wasUsed(): boolean {
    return this.#uses > 1;
  }

  /** True while another request may be sent on it. */
  get isUsable(): boolean {
    return !this.#closed && !this.socket.destroyed && this.#uses < MAX_USES;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.destroy().catch(() => undefined);
  }

  /** Sends one request; `onEnd` is called exactly once. Returns the exchange, to end it early. */
  exchange(request: OutboundRequest, target: Target, onEnd: (end: ExchangeEnd) => void): Exchange {
    this.#uses += 1;
    const exchange = new Exchange(this, onEnd);
    this.#exchange = exchange;
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
    return exchange;
  }
}

/** undici's client on a socket that is open already, and on no other after that. */
function openClient(socket: Socket, target: Target): Client {
  let given = false;
  return new Client(`${target.secure ? 'https' : 'http'}://${target.host}`, {
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
}

function flatHeaders(request: OutboundRequest, target: Target): string[] {
  const flat = ['host', target.host];
  for (const [name, value] of request.headers) flat.push(name, value);
  return flat;
}
