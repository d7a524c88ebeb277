import { once } from 'node:events';
import { createServer, isIP, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onRequest, plain } from '../../packages/server/src/egress/testing/raw-server.ts';
import type { Entry } from './ssrf-corpus.ts';

/** A connection that came about, and what was asked for on it; an empty text where nothing was. */
export type Reached = { readonly address: string; readonly port: number; request: string };

export type Canaries = {
  /** What was reached since the last time. */
  readonly take: () => readonly Reached[];
  readonly ports: readonly number[];
  readonly dropConnections: () => void;
  readonly close: () => void;
};

/** Listeners on every address, at every port that the corpus names. */
export async function openCanaries(
  corpus: readonly Entry[],
  tls: TlsOptions,
  withClose = false,
): Promise<Canaries> {
  let reached: Reached[] = [];
  let sockets: Socket[] = [];
  const servers: Server[] = [];
  const bySocket = new Map<string, Reached>();
  const respond = (socket: Socket): void => {
    socket.on('error', () => undefined);
    onRequest(socket, (request) => {
      const [, path = '', host = ''] = /^\S+ (\S+) [^]*?\r\nhost: (\S+)/i.exec(request) ?? [];
      const connection = bySocket.get(`${socket.remoteAddress} ${socket.remotePort}`);
      if (connection !== undefined) connection.request = `${host}${path}`;
      socket.write(answerTo(corpus, host, path, withClose));
      if (withClose) socket.end();
    });
  };
  const tlsPorts = tlsPortsOf(corpus);
  for (const port of portsOf(corpus)) {
    const server = tlsPorts.has(port) ? createTlsServer(tls, respond) : createServer(respond);
    server.on('connection', (socket: Socket) => {
      const address = String(socket.localAddress).replace(/^::ffff:/, '');
      const connection = { address, port, request: '' };
      reached.push(connection);
      bySocket.set(`${socket.remoteAddress} ${socket.remotePort}`, connection);
      sockets.push(socket);
      socket.on('error', () => undefined);
    });
    server.listen(port, '::');
    await once(server, 'listening');
    servers.push(server);
  }
  const dropConnections = (): void => {
    for (const socket of sockets.splice(0)) socket.destroy();
    bySocket.clear();
  };
  return {
    take: () => {
      const taken = reached;
      reached = [];
      return taken;
    },
    ports: portsOf(corpus),
    dropConnections,
    close: () => {
      for (const server of servers) server.close();
      dropConnections();
    },
  };
}

/** Names and addresses of what must be taken, as a certificate lists them. */
export function namesOf(corpus: readonly Entry[]): string {
  const hosts = taken(corpus).map(({ hostname }) => hostname.replace(/^\[|\]$|\.$/g, ''));
  const names = [...new Set(hosts)].map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`);
  return ['DNS:*.attacker.example', ...names].join(',');
}

function tlsPortsOf(corpus: readonly Entry[]): ReadonlySet<number> {
  const secure = taken(corpus).filter(({ protocol }) => protocol === 'https:');
  return new Set(secure.map(({ port }) => (port === '' ? 443 : Number(port))));
}

function taken(corpus: readonly Entry[]): URL[] {
  return corpus.filter(({ expect }) => expect === 'allow').map(({ url }) => new URL(url));
}

/** As the corpus says for this host and path; the token for an echo; else 200. */
function answerTo(
  corpus: readonly Entry[],
  host: string,
  path: string,
  withClose: boolean,
): string {
  const close = withClose ? 'Connection: close\r\n' : '';
  const [, asked, token] = /^(.*?)(?:[?&]echo=([0-9a-f]+))?$/.exec(path) ?? [];
  const entry = corpus.find(({ url }) => url === `https://${host}${asked}`);
  if (entry?.respond === undefined) return plain(200, token ?? '', close);
  const { status, location } = entry.respond;
  return plain(status, '', `Location: ${location}\r\n${close}`);
}

function portsOf(entries: readonly Entry[]): readonly number[] {
  const ports = new Set([80, 443, 8080, 9200]);
  for (const { url, respond } of entries) {
    for (const text of [url, respond?.location ?? '']) {
      const port = URL.canParse(text) ? new URL(text).port : '';
      if (port !== '' && port !== '0') ports.add(Number(port));
    }
  }
  return [...ports];
}
