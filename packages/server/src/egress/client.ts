import type { Outcome } from '../core/outcome.ts';
import { Connection, type ExchangeEnd } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { dial, type DialOptions, vet } from './dial.ts';
import { Failure } from './failure.ts';
import { ConnectionPool } from './pool.ts';
import type { Egress, OutboundRequest } from './port.ts';
import { createResolver } from './resolver.ts';
import { Sending } from './sending.ts';
import { checkUri, ECHO_ROOM, MAX_URI_LENGTH, type UriVerdict } from './uri.ts';

export type EgressOptions = Omit<DialOptions, 'resolve'> & {
  /** For the whole attempt. */
  readonly requestTimeoutMs: number;
  readonly resolve?: DialOptions['resolve'];
  /** Idle connections kept in all; 2,000 where not said. */
  readonly maxIdle?: number;
  /** Called for each request that a rule kept from being sent, whatever asked for it. */
  readonly onBlocked?: (blocked: BlockedRequest) => void;
};

/** For the operator alone: who asked, what for, and the rule that refused it. */
export type BlockedRequest = {
  readonly pool: string;
  /** Null when the URI has none that can be trusted. */
  readonly host: string | null;
  readonly rule: string;
};

const KNOWN_URIS = 10_000;
const MAX_IDLE = 2000;
const CLOSED: Outcome = { kind: 'connect_error', code: 'ECONNABORTED' };

/** The only way out of the process. */
export function createEgress(options: EgressOptions): Egress {
  return new GuardedEgress({ resolve: createResolver(), ...options });
}

class GuardedEgress implements Egress {
  readonly #options: EgressOptions & DialOptions;
  readonly #pool: ConnectionPool;
  readonly #deadlines: Deadlines;
  readonly #verdicts = new Map<string, UriVerdict>();
  /** Requests in flight that have a time of their own. */
  readonly #apart = new Set<Sending>();
  #closed = false;

  constructor(options: EgressOptions & DialOptions) {
    this.#options = options;
    this.#pool = new ConnectionPool(options.maxIdle ?? MAX_IDLE);
    this.#deadlines = new Deadlines(options.requestTimeoutMs);
  }

  send(request: OutboundRequest): Promise<Outcome> {
    const verdict = this.#judge(request.uri);
    if (!verdict.ok) {
      const { rule } = verdict;
      this.#options.onBlocked?.({ pool: request.pool, host: null, rule });
      return Promise.resolve({ kind: 'blocked', rule });
    }
    if (this.#closed) return Promise.resolve(CLOSED);
    const { target } = verdict;
    const timeoutMs = request.timeoutMs ?? this.#options.requestTimeoutMs;
    return new Promise((resolve) =>
      this.#start(new Sending({ request, target, timeoutMs }, this.#stopClock, resolve)),
    );
  }

  forget(pool: string): void {
    this.#pool.forget(pool);
  }

  /** What is still in flight ends as a broken connection. */
  close(): Promise<void> {
    this.#closed = true;
    this.#deadlines.close();
    for (const sending of this.#apart) sending.cancel();
    this.#pool.close();
    return Promise.resolve();
  }

  /** The rules look at the text alone, so the same text is judged once. */
  #judge(uri: string): UriVerdict {
    let verdict = this.#verdicts.get(uri);
    if (verdict === undefined) {
      if (this.#verdicts.size >= KNOWN_URIS) this.#verdicts.clear();
      verdict = checkUri(uri, this.#options.allow, MAX_URI_LENGTH + ECHO_ROOM);
      this.#verdicts.set(uri, verdict);
    }
    return verdict;
  }

  #start(sending: Sending): void {
    this.#startClock(sending);
    const { origin } = sending.target;
    this.#pool.take(sending.request.pool, origin, (connection) => {
      if (connection === undefined) void this.#onNewSocket(sending);
      else if (sending.isOver) this.#pool.keep(connection);
      else this.#exchange(sending, connection);
    });
  }

  #startClock(sending: Sending): void {
    const { timeoutMs } = sending.request;
    if (timeoutMs === undefined) return this.#deadlines.add(sending);
    this.#apart.add(sending);
    sending.timer = setTimeout(() => sending.expire(), timeoutMs);
  }

  readonly #stopClock = (sending: Sending): void => {
    this.#deadlines.remove(sending);
    if (sending.timer === undefined) return;
    clearTimeout(sending.timer);
    this.#apart.delete(sending);
  };

  async #onNewSocket(sending: Sending): Promise<void> {
    const { request, target } = sending;
    sending.phase = 'connect';
    if (sending.isOver) return;
    try {
      const addresses = await vet(target, this.#options);
      if (sending.isOver) return;
      const socket = await dial(target, addresses, this.#options);
      if (sending.isOver) return void socket.destroy();
      const shelf = this.#pool.shelfOf(request.pool, target.origin);
      const connection: Connection = new Connection(socket, shelf, () =>
        this.#pool.drop(connection),
      );
      this.#exchange(sending, connection);
    } catch (error) {
      this.#onUnsent(sending, error);
    }
  }

  #onUnsent(sending: Sending, error: unknown): void {
    const { request, target } = sending;
    const outcome: Outcome =
      error instanceof Failure ? error.outcome : { kind: 'protocol_error', code: 'UNKNOWN' };
    if (outcome.kind === 'blocked') {
      this.#options.onBlocked?.({ pool: request.pool, host: target.host, rule: outcome.rule });
    }
    sending.end(outcome);
  }

  #exchange(sending: Sending, connection: Connection): void {
    sending.phase = 'response';
    sending.certificateEndsAt = connection.certificateEndsAt;
    sending.running = connection;
    connection.exchange(sending.request, sending.target, (end) => {
      if (end.outcome.kind === 'response' && !end.outcome.response.truncated) {
        this.#pool.rest(connection);
      } else connection.close();
      this.#onExchanged(sending, end);
    });
  }

  /** What went to a server that had closed the connection is sent once more, on a new one. */
  #onExchanged(sending: Sending, end: ExchangeEnd): void {
    const again = end.wasStale && !sending.isOver && !this.#closed;
    if (!again) return sending.end(end.outcome);
    void this.#onNewSocket(sending);
  }
}
