import { type Connection, MAX_IDLE_MS, type Place } from './connection.ts';

/** Idle sockets of one registration to one origin, well above a lane's limit. */
const MAX_IDLE_AT_ONE_PLACE = 64;

/** Connections between requests, by pool and origin. A connection is used again only after it has rested. */
export class ConnectionPool {
  readonly #pools = new Map<string, Map<string, Connection[]>>();
  /** All of them, the one that has been idle longest first. */
  readonly #idle = new Set<Connection>();
  readonly #maxIdle: number;
  #closed = false;

  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /** A rested connection, the one used last; undefined when a new one is to be dialled. */
  take({ pool, origin }: Place): Connection | undefined {
    const idle = this.#pools.get(pool)?.get(origin);
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
      this.#idle.delete(connection);
      if (connection.isUsable && performance.now() - connection.idleSince < MAX_IDLE_MS)
        return connection;
      connection.close();
    }
    return undefined;
  }

  /**
   * Keeps a connection for later, after two turns of the event loop: what a server sends unasked
   * on an idle socket has been read by then, and is never taken for an answer.
   */
  rest(connection: Connection): void {
    setImmediate(() => setImmediate(() => this.#keep(connection)));
  }

  forget(pool: string): void {
    for (const idle of this.#pools.get(pool)?.values() ?? [])
      for (const connection of idle) {
        this.#idle.delete(connection);
        connection.close();
      }
    this.#pools.delete(pool);
  }

  /** Takes a connection out that has closed by itself. */
  drop(connection: Connection): void {
    const { pool, origin } = connection.place;
    this.#idle.delete(connection);
    const origins = this.#pools.get(pool);
    const idle = origins?.get(origin);
    const index = idle?.indexOf(connection) ?? -1;
    if (index >= 0) idle?.splice(index, 1);
    if (idle?.length === 0) origins?.delete(origin);
    if (origins?.size === 0) this.#pools.delete(pool);
  }

  /** Closes all of them, and those too that come to rest afterwards. */
  close(): void {
    this.#closed = true;
    for (const pool of this.#pools.keys()) this.forget(pool);
  }

  #keep(connection: Connection): void {
    if (!connection.isUsable || this.#closed) return connection.close();
    const idle = this.#at(connection.place);
    if (idle.length >= MAX_IDLE_AT_ONE_PLACE) return connection.close();
    connection.idleSince = performance.now();
    idle.push(connection);
    this.#idle.add(connection);
    if (this.#idle.size > this.#maxIdle) this.#closeOldest();
  }

  #at({ pool, origin }: Place): Connection[] {
    let origins = this.#pools.get(pool);
    if (origins === undefined) this.#pools.set(pool, (origins = new Map()));
    let idle = origins.get(origin);
    if (idle === undefined) origins.set(origin, (idle = []));
    return idle;
  }

  #closeOldest(): void {
    const [oldest] = this.#idle;
    if (oldest === undefined) return;
    this.drop(oldest);
    oldest.close();
  }
}
