import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the receiver saw it; times in milliseconds since 1970. */
export type Seen = {
  readonly path: string;
  readonly at: number;
  /** Publish to receipt, where the body carries its time. */
  readonly latencyMs: number | null;
  /** Requests of this path that were open with it. */
  readonly inFlight: number;
};

export type Command = 'reset' | 'seen' | 'up';

/**
 * The receiver of the isolation bench, a process of its own. What a path begins with says how it
 * behaves: `/silent` never answers, `/failing` answers 500, `/back` answers 500 until it is told
 * to be up, everything else answers 200; after a few milliseconds, as an endpoint with something to do.
 */
const ANSWER_MS = 5;
const open = new Map<string, number>();
let seen: Seen[] = [];
let isUp = false;

const server = createServer((request, response) => {
  const path = request.url ?? '';
  const chunks: Buffer[] = [];
  open.set(path, (open.get(path) ?? 0) + 1);
  const at = performance.timeOrigin + performance.now();
  const inFlight = open.get(path) ?? 0;
  response.on('close', () => open.set(path, (open.get(path) ?? 1) - 1));
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    seen.push({ path, at, inFlight, latencyMs: latencyOf(Buffer.concat(chunks), at) });
    answer(request, response);
  });
});

function answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
  if (url.startsWith('/silent')) return;
  const fails = url.startsWith('/failing') || (url.startsWith('/back') && !isUp);
  setTimeout(() => response.writeHead(fails ? 500 : 200).end(), ANSWER_MS);
}

function latencyOf(body: Buffer, at: number): number | null {
  const start = body.indexOf('"T":');
  return start < 0 ? null : at - Number.parseFloat(body.toString('latin1', start + 4, start + 24));
}

process.on('message', (command: Command) => {
  const answered = seen;
  if (command === 'up') isUp = true;
  if (command === 'reset') seen = [];
  process.send?.(command === 'seen' ? answered : []);
});
process.on('disconnect', () => process.exit());
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
