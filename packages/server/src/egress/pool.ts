import type { Connection } from './connection.ts';

/** Gets a rested connection, or undefined when a new one is to be dialled. */
export type Taker = (connection: Connection | undefined) => void;

/** The connections of one registration to one origin. Nothing else may use them. */
export class Shelf {
  readonly pool: string;
  readonly origin: string;
  readonly idle: Connection[] = [];
  /** Who waits for a connection that rests. */
  readonly waiting: Taker[] = [];
  resting = 0;
  /** All that are not closed, in use or not. */
  open = 0;
  isForgotten = false;

  constructor(pool: string, origin: string) {
    this.pool = pool;
    this.origin = origin;
  }
}

const SWEEP_MS = 1000;

/** Connections between requests, by pool and origin. A connection is used again only after it has rested. */
export class ConnectionPool {
  readonly #pools = new Map<string, Map<string, Shelf>>();
  /** All idle ones, the one that has been idle longest first. */
  readonly #idle = new Set<Connection>();
  readonly #maxIdle: number;
  /** Those that have one turn before them, and those that have two. */
  #oneTurn: Connection[] = [];
  #twoTurns: Connection[] = [];
  #sweeping: NodeJS.Timeout | undefined;

  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /**
   * Hands over the connection that was used last as soon as it has rested, which takes less than a
   * new one would: the receiver sees no more of them than there are requests at a time.
   */
  take(pool: string, origin: string, taker: Taker): void {
    const shelf = this.#pools.get(pool)?.get(origin);
    if (shelf === undefined) return taker(undefined);
    if (shelf.resting <= shelf.waiting.length) {
      const idle = this.#takeIdle(shelf);
      if (idle === undefined) return taker(undefined);
      // What it was sent meanwhile may not have been read yet.
      this.rest(idle);
    }
    shelf.waiting.push(taker);
  }

  /** Where a new connection belongs. */
  shelfOf(pool: string, origin: string): Shelf {
    let shelves = this.#pools.get(pool);
    if (shelves === undefined) this.#pools.set(pool, (shelves = new Map()));
    let shelf = shelves.get(origin);
    if (shelf === undefined) shelves.set(origin, (shelf = new Shelf(pool, origin)));
    return shelf;
  }

  /**
   * Keeps a connection for later, after two turns of the event loop: what a server sends unasked
   * on an idle socket has been read by then, and is never taken for an answer.
   */
  rest(connection: Connection): void {
    connection.shelf.resting += 1;
    if (this.#oneTurn.length === 0 && this.#twoTurns.length === 0) setImmediate(this.#turn);
    this.#twoTurns.push(connection);
  }

  /** Puts back a connection that was taken and not used. */
  keep(connection: Connection): void {
    const { shelf } = connection;
    if (!connection.isUsable || shelf.isForgotten) return connection.close();
    connection.startIdle(performance.now());
    shelf.idle.push(connection);
    this.#idle.add(connection);
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    if (this.#idle.size > this.#maxIdle) this.#closeOldest();
  }

  /** Closes what is idle now, and what is in use when it comes back. */
  forget(pool: string): void {
    for (const shelf of this.#pools.get(pool)?.values() ?? []) {
      shelf.isForgotten = true;
      for (const connection of shelf.idle.splice(0)) {
        this.#idle.delete(connection);
        connection.close();
      }
    }
    this.#pools.delete(pool);
  }

  /** Takes out a connection that has closed. */
  drop(connection: Connection): void {
    const { shelf } = connection;
    shelf.open -= 1;
    this.#takeOut(connection);
    if (shelf.open > 0 || shelf.isForgotten) return;
    const shelves = this.#pools.get(shelf.pool);
    shelves?.delete(shelf.origin);
    if (shelves?.size === 0) this.#pools.delete(shelf.pool);
  }

  close(): void {
    for (const pool of this.#pools.keys()) this.forget(pool);
    this.#stopSweeping();
  }

  #takeIdle(shelf: Shelf): Connection | undefined {
    for (let found = shelf.idle.pop(); found !== undefined; found = shelf.idle.pop()) {
      this.#idle.delete(found);
      if (found.isUsable && !found.isTooOld(performance.now())) return found;
      found.close();
    }
    return undefined;
  }

  readonly #turn = (): void => {
    const rested = this.#oneTurn;
    this.#oneTurn = this.#twoTurns;
    this.#twoTurns = [];
    if (this.#oneTurn.length > 0) setImmediate(this.#turn);
    for (const connection of rested) this.#rested(connection);
  };

  #rested(connection: Connection): void {
    const { shelf } = connection;
    shelf.resting -= 1;
    const taker = shelf.waiting.shift();
    if (taker === undefined) return this.keep(connection);
    if (connection.isUsable && !shelf.isForgotten) return taker(connection);
    connection.close();
    taker(undefined);
  }

  /** What nothing is sent on any more is not kept open either. */
  #sweep(): void {
    const now = performance.now();
    for (const connection of this.#idle) {
      if (!connection.isTooOld(now)) continue;
      this.#takeOut(connection);
      connection.close();
    }
    if (this.#idle.size === 0) this.#stopSweeping();
  }

  #stopSweeping(): void {
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  #takeOut(connection: Connection): void {
    if (!this.#idle.delete(connection)) return;
    const { idle } = connection.shelf;
    idle.splice(idle.indexOf(connection), 1);
  }

  #closeOldest(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.#takeOut(oldest);
    oldest.close();
  }
}
