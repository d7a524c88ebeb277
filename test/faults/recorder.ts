import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One delivery as it came. `n`: the number the publisher gave the event. */
export type Receipt = {
  readonly n: number;
  readonly registration: string;
  readonly id: string;
  readonly attempt: number;
  /** SHA-256 of the notification's text. */
  readonly hash: string;
  readonly verified: boolean;
  /** The status that the recorder answers with. */
  readonly status: number;
};

/**
 * The recorder of the fault tests, a process of its own that outlives the server: answers after a
 * few milliseconds, one in a hundred with 500, and tells its parent what came before it answers.
 */
const secret = process.env['RECORDER_SECRET'] ?? '';
const FAIL_EVERY = 100;
let count = 0;

const server = createServer((request, response) => {
  const { searchParams, pathname } = new URL(request.url ?? '', 'http://recorder');
  if (request.method === 'GET') return void response.end(searchParams.get('echo'));
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    count += 1;
    const status = count % FAIL_EVERY === 0 ? 500 : 200;
    const signature = String(request.headers['ms-signature']);
    process.send?.({ ...receiptOf(pathname, Buffer.concat(chunks), signature), status });
    setTimeout(() => response.writeHead(status).end(), 1 + (count % 5));
  });
});

function receiptOf(registration: string, body: Buffer, signature: string): Omit<Receipt, 'status'> {
  const text = body.toString('utf8');
  const notification = /"Notifications":\[(.*)\]\}$/s.exec(text)?.[1] ?? '';
  const { Id, Attempt, Notifications } = JSON.parse(text) as {
    Id: string;
    Attempt: number;
    Notifications: [{ N: number }];
  };
  const expected = `sha256=${createHmac('sha256', secret).update(body).digest('hex').toUpperCase()}`;
  return {
    n: Notifications[0].N,
    registration,
    id: Id,
    attempt: Attempt,
    hash: createHash('sha256').update(notification).digest('hex'),
    verified: signature === expected,
  };
}

server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
process.on('disconnect', () => process.exit());
