import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { PostgresServer } from '../../tools/postgres/server.ts';

/**
 * `open` passes everything on; `slow` does so late; `silent` swallows everything and tells nobody;
 * `cut` resets what is connected and whoever comes.
 */
export type LinkMode = 'open' | 'slow' | 'silent' | 'cut';

const SLOW_MS = 150;

/** One node's way to the database, which can be troubled for that node alone. */
export class DatabaseLink {
  readonly #server: Server;
  readonly #database: Pick<PostgresServer, 'socket'>;
  readonly #sockets = new Set<Socket>();
  #mode: LinkMode = 'open';

  private constructor(database: Pick<PostgresServer, 'socket'>) {
    this.#database = database;
    this.#server = createServer((near) => this.#join(near));
  }

  static async open(database: Pick<PostgresServer, 'socket'>): Promise<DatabaseLink> {
    const link = new DatabaseLink(database);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  url(database: string): string {
    const { port } = this.#server.address() as AddressInfo;
    return `postgres://postgres@127.0.0.1:${port}/${database}`;
  }

  set mode(mode: LinkMode) {
    // What was swallowed cannot be made good: those connections are over, as after a real cut.
    if (mode === 'cut' || this.#mode === 'silent') this.#reset();
    this.#mode = mode;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#reset();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    this.#hold(near);
    if (this.#mode === 'cut') return end(near);
    const far = connect(this.#database.socket);
    this.#hold(far);
    this.#pass(near, far);
    this.#pass(far, near);
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #pass(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (this.#mode === 'slow') setTimeout(() => to.write(chunk), SLOW_MS);
      else if (this.#mode === 'open') to.write(chunk);
    });
    from.once('close', () => to.destroy());
  }

  #reset(): void {
    for (const socket of this.#sockets) end(socket);
  }
}

/**
 * With a reset, where there is such a thing: Unix sockets have none, and one that is being shut down
 * would be left open and keep the process from its end (js-libp2p#3597).
 */
function end(socket: Socket): void {
  if (socket.remoteFamily === undefined || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
