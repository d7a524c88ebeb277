import { type Connection, MAX_IDLE_MS } from './connection.ts';

/** Sockets of one registration to one origin; resting ones count, so it is well above a lane's limit. */
const MAX_CONNECTIONS = 64;

/** Connections between requests, by pool and origin. A connection is used again only after it has rested. */
export class ConnectionPool {
  readonly #pools = new Map<string, Map<string, Connection[]>>();

  /** A rested connection, the one used last; undefined when a new one is to be dialled. */
  take(pool: string, origin: string): Connection | undefined {
    const idle = this.#pools.get(pool)?.get(origin);
    for (let connection = idle?.pop(); connection !== undefined; connection = idle?.pop()) {
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
  rest(pool: string, origin: string, connection: Connection): void {
    setImmediate(() => setImmediate(() => this.#keep(pool, origin, connection)));
  }

  forget(pool: string): void {
    for (const idle of this.#pools.get(pool)?.values() ?? [])
      for (const connection of idle) connection.close();
    this.#pools.delete(pool);
  }

  /** Takes a connection out that has closed by itself. */
  drop(pool: string, origin: string, connection: Connection): void {
    const origins = this.#pools.get(pool);
    const idle = origins?.get(origin);
    const index = idle?.indexOf(connection) ?? -1;
    if (index >= 0) idle?.splice(index, 1);
    if (idle?.length === 0) origins?.delete(origin);
    if (origins?.size === 0) this.#pools.delete(pool);
  }

  close(): void {
    for (const pool of this.#pools.keys()) this.forget(pool);
  }

  #keep(pool: string, origin: string, connection: Connection): void {
    if (!connection.isUsable) return connection.close();
    const origins = this.#pools.get(pool) ?? new Map<string, Connection[]>();
    this.#pools.set(pool, origins);
    const idle = origins.get(origin) ?? [];
    origins.set(origin, idle);
    if (idle.length >= MAX_CONNECTIONS) return connection.close();
    connection.idleSince = performance.now();
    idle.push(connection);
  }
}
