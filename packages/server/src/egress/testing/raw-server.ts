import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** What a server of the tests does with a connection. Errors of the socket are swallowed. */
export type Behaviour = (socket: Socket) => void;

export type RawServer = {
  readonly port: number;
  /** How many connections were accepted. */
  readonly accepted: () => number;
  readonly open: () => number;
  readonly close: () => Promise<void>;
};

const running = new Set<RawServer>();

/** Closes what a failed test left open, so that the run ends. */
export async function closeServers(): Promise<void> {
  await Promise.all([...running].map((server) => server.close()));
}

/** A server on 127.0.0.1 that speaks no protocol by itself, so that it can break any. */
export function rawServer(behave: Behaviour, tls?: TlsOptions): Promise<RawServer> {
  return listen(tls === undefined ? createServer(behave) : createTlsServer(tls, behave));
}

async function listen(server: Server): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('secureConnection', (socket: Socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const handle: RawServer = {
    port: portOf(server),
    accepted: () => accepted,
    open: () => sockets.size,
    close: async () => {
      running.delete(handle);
      server.close();
      for (const socket of sockets) socket.destroy();
      if (sockets.size > 0) await once(server, 'close');
    },
  };
  running.add(handle);
  return handle;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Calls `answer` with each whole request (head and counted body) that arrives. */
export function onRequest(socket: Socket, answer: (request: string) => void): void {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
    for (let end = endOfRequest(received); end > 0; end = endOfRequest(received)) {
      const request = received.slice(0, end);
      received = received.slice(end);
      answer(request);
    }
  });
}

function endOfRequest(received: string): number {
  const head = received.indexOf('\r\n\r\n');
  if (head < 0) return 0;
  const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0);
  return received.length >= head + 4 + length ? head + 4 + length : 0;
}

/** A server's behaviour: writes these bytes after each request, and then does `next`. */
export function answers(bytes: string | Buffer, next?: (socket: Socket) => void): Behaviour {
  return (socket) =>
    onRequest(socket, () => {
      socket.write(bytes);
      next?.(socket);
    });
}

/** A plain answer with a counted body. */
export function plain(status: number, body = '', headers = ''): string {
  return `HTTP/1.1 ${status} X\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}
