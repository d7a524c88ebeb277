import type { Outcome } from '../core/outcome.ts';
import { Connection, type ExchangeEnd } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { dial, type DialOptions } from './dial.ts';
import { exchangeByNode } from './fallback.ts';
import { Failure } from './failure.ts';
import { ConnectionPool } from './pool.ts';
import type { Egress, OutboundRequest } from './port.ts';
import { createResolver } from './resolver.ts';
import { checkUri, type Target, type UriVerdict } from './uri.ts';

export type EgressOptions = Omit<DialOptions, 'resolve'> & {
  /** For the whole attempt. */
  readonly requestTimeoutMs: number;
  readonly resolve?: DialOptions['resolve'];
};

const KNOWN_URIS = 10_000;
const KNOWN_ORIGINS = 1000;

/** The only way out of the process. */
export function createEgress(options: EgressOptions): Egress {
  return new GuardedEgress({ resolve: createResolver(), ...options });
}

class GuardedEgress implements Egress {
  readonly #options: EgressOptions & DialOptions;
  readonly #pool = new ConnectionPool();
  readonly #deadlines: Deadlines;
  readonly #verdicts = new Map<string, UriVerdict>();
  /** Origins that send `100 Continue` unasked, and so are spoken to by node:http. */
  readonly #continuing = new Set<string>();
  #closed = false;

  constructor(options: EgressOptions & DialOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.requestTimeoutMs);
  }

  send(request: OutboundRequest): Promise<Outcome> {
    const verdict = this.#judge(request.uri);
    if (!verdict.ok) return Promise.resolve({ kind: 'blocked', rule: verdict.rule });
    return new Promise((resolve) => this.#start(new Sending(request, verdict.target, resolve)));
  }

  forget(pool: string): void {
    this.#pool.forget(pool);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#pool.close();
    this.#deadlines.close();
    return Promise.resolve();
  }

  /** The rules look at the text alone, so the same text is judged once. */
  #judge(uri: string): UriVerdict {
    let verdict = this.#verdicts.get(uri);
    if (verdict === undefined) {
      if (this.#verdicts.size >= KNOWN_URIS) this.#verdicts.clear();
      verdict = checkUri(uri, this.#options.allow);
      this.#verdicts.set(uri, verdict);
    }
    return verdict;
  }

  #start(sending: Sending): void {
    const afterMs = sending.request.timeoutMs ?? this.#options.requestTimeoutMs;
    const expire = (): void => sending.expire(afterMs);
    if (sending.request.timeoutMs === undefined)
      sending.cancelDeadline = this.#deadlines.add(expire);
    else {
      const timer = setTimeout(expire, afterMs);
      sending.cancelDeadline = () => clearTimeout(timer);
    }
    const pooled = this.#pool.take(sending.request.pool, sending.origin);
    if (pooled === undefined || this.#continuing.has(sending.origin))
      void this.#onNewSocket(sending);
    else this.#exchange(sending, pooled);
  }

  async #onNewSocket(sending: Sending): Promise<void> {
    try {
      const socket = await dial(sending.target, this.#options);
      if (sending.isOver || this.#closed) {
        socket.destroy();
        sending.end({ kind: 'connect_error', code: 'ECONNABORTED' });
      } else if (this.#continuing.has(sending.origin)) {
        const { request, target } = sending;
        sending.abort = exchangeByNode({ socket, request, target }, (outcome) =>
          sending.end(outcome),
        );
      } else {
        const { pool } = sending.request;
        const connection: Connection = new Connection(socket, sending.target, () =>
          this.#pool.drop(pool, sending.origin, connection),
        );
        this.#exchange(sending, connection);
      }
    } catch (error) {
      sending.end(
        error instanceof Failure ? error.outcome : { kind: 'protocol_error', code: 'UNKNOWN' },
      );
    }
  }

  #exchange(sending: Sending, connection: Connection): void {
    sending.abort = connection.exchange(sending.request, sending.target, (end) => {
      if (end.outcome.kind === 'response' && !end.outcome.response.truncated && !this.#closed) {
        this.#pool.rest(sending.request.pool, sending.origin, connection);
      } else connection.close();
      this.#onExchanged(sending, end);
    });
  }

  /** A server that had closed the connection, or that says 100, gets the request once more, on a new socket. */
  #onExchanged(sending: Sending, end: ExchangeEnd): void {
    const again =
      (end.wasStale || end.sentContinue) &&
      !sending.wasRepeated &&
      !sending.isOver &&
      !this.#closed;
    if (!again) return sending.end(end.outcome);
    sending.wasRepeated = true;
    if (end.sentContinue) {
      if (this.#continuing.size >= KNOWN_ORIGINS) this.#continuing.clear();
      this.#continuing.add(sending.origin);
    }
    void this.#onNewSocket(sending);
  }
}

/** One request on its way, whatever it takes. */
class Sending {
  readonly request: OutboundRequest;
  readonly target: Target;
  readonly origin: string;
  abort: ((failure: Failure) => void) | undefined;
  cancelDeadline: (() => void) | undefined;
  wasRepeated = false;
  isOver = false;
  readonly #resolve: (outcome: Outcome) => void;

  constructor(request: OutboundRequest, target: Target, resolve: (outcome: Outcome) => void) {
    this.request = request;
    this.target = target;
    this.origin = target.secure ? `https://${target.host}` : `http://${target.host}`;
    this.#resolve = resolve;
  }

  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cancelDeadline?.();
    this.#resolve(outcome);
  }

  /** What has arrived decides: a head that came in time counts, however slow its body is. */
  expire(afterMs: number): void {
    const outcome = { kind: 'timeout', phase: 'response', afterMs } as const;
    this.abort?.(new Failure(outcome));
    this.end(outcome);
  }
}
