import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Seen = {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: Buffer;
};

/** The receiver that the cases were recorded with, played again. */
export class RecordedReceiver {
  readonly seen: Seen[] = [];
  readonly #server: Server = createServer((request, response) => this.#receive(request, response));
  readonly #answered = new Map<string, number>();
  #waiting: (() => void)[] = [];

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Forgets what was seen before. */
  reset(): void {
    this.seen.length = 0;
  }

  posts(): Seen[] {
    return this.seen.filter(({ method }) => method === 'POST');
  }

  /** Resolves when so many POSTs have come. */
  async expectPosts(count: number): Promise<void> {
    while (this.posts().length < count)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', rawHeaders } = request;
      this.seen.push({ method, target: url, headers: rawHeaders, body: Buffer.concat(chunks) });
      if (method === 'POST') this.#answerPost(url, response);
      else answerEcho(url, response);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const resolve of waiting) resolve();
    });
  }

  #answerPost(url: string, response: ServerResponse): void {
    const sequence = /^\/post-seq\/[^/]+\/([^?]+)/.exec(url)?.[1]?.split(',');
    const turn = this.#answered.get(url) ?? 0;
    this.#answered.set(url, turn + 1);
    const answer = sequence?.[Math.min(turn, sequence.length - 1)] ?? '200';
    if (answer === 'close') response.destroy();
    else if (answer.startsWith('r'))
      response.writeHead(Number(answer.slice(1)), { location: '/ok-redirected' }).end();
    else if (answer !== 'hang') response.writeHead(Number(answer)).end();
  }
}

function answerEcho(url: string, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(url, 'http://receiver');
  const echo = searchParams.get('echo') ?? '';
  const plain = (body: string, type = 'text/plain'): unknown =>
    response.writeHead(200, { 'content-type': type }).end(body);
  const status = /^\/echo-(\d{3})$/.exec(pathname)?.[1];
  if (pathname === '/echo-wrong') plain('nope');
  else if (pathname === '/echo-newline') plain(`${echo}\n`);
  else if (pathname === '/echo-quoted') plain(JSON.stringify(echo));
  else if (pathname === '/echo-bom') plain(`\ufeff${echo}`);
  else if (pathname === '/echo-upper') plain(echo.toUpperCase());
  else if (pathname === '/echo-html') plain(echo, 'text/html');
  else if (pathname === '/echo-empty') plain('');
  else if (pathname === '/echo-302')
    response.writeHead(302, { location: `/ok?echo=${echo}` }).end();
  else if (pathname === '/echo-302-lost') response.writeHead(302, { location: '/ok' }).end();
  else if (pathname === '/echo-close') response.destroy();
  else if (status === '204') response.writeHead(204).end();
  else if (status !== undefined)
    response.writeHead(Number(status), { 'content-type': 'text/plain' }).end(echo);
  else plain(echo);
}
