import { createHash, createHmac } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomFrom } from '../../tools/random.ts';

/** One delivery as it came. `n`: the number the publisher gave the event. */
export type Receipt = {
  readonly n: number;
  /** The path it came to. */
  readonly registration: string;
  readonly id: string;
  readonly attempt: number;
  /** SHA-256 of the notification's text. */
  readonly hash: string;
  readonly verified: boolean;
  /** The status that the recorder answers with. */
  readonly status: number;
};

export type RecorderSettings = {
  readonly secret: string;
  readonly seed: number;
  /** Half of the answers take longer; log-normal, 1 to 200 ms. 0 answers at once. */
  readonly medianMs: number;
  /** The share answered with 500, from 0 to 1. */
  readonly failing: number;
};

/** One standard deviation of the logarithm: one answer in a hundred takes six times the median. */
const SPREAD = 0.8;
const LONGEST_MS = 200;

/**
 * The recorder of the fault tests, a process of its own that outlives the servers. It tells its
 * parent what came before it answers.
 */
function record(settings: RecorderSettings): void {
  const random = randomFrom(settings.seed);
  let untold: Receipt[] = [];

  function tell(receipt: Receipt): void {
    untold.push(receipt);
    if (untold.length > 1) return;
    setImmediate(() => {
      process.send?.(untold);
      untold = [];
    });
  }

  function answer(response: ServerResponse, status: number): void {
    const end = (): void => void response.writeHead(status).end();
    if (settings.medianMs === 0) return void setImmediate(() => setImmediate(end));
    setTimeout(end, Math.min(LONGEST_MS, settings.medianMs * Math.exp(SPREAD * normal(random))));
  }

  const server = createServer((request, response) => {
    const { searchParams, pathname } = new URL(request.url ?? '', 'http://recorder');
    if (request.method === 'GET') return void response.end(searchParams.get('echo'));
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const status = random() < settings.failing ? 500 : 200;
      const signature = String(request.headers['ms-signature']);
      const body = Buffer.concat(chunks);
      tell({ ...receiptOf(pathname, body, { signature, secret: settings.secret }), status });
      answer(response, status);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1', () =>
    process.send?.({ port: (server.address() as AddressInfo).port }),
  );
}

/** Normally distributed (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function receiptOf(
  registration: string,
  body: Buffer,
  { signature, secret }: { readonly signature: string; readonly secret: string },
): Omit<Receipt, 'status'> {
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

if (import.meta.main) {
  process.once('message', (settings: RecorderSettings) => record(settings));
  process.on('disconnect', () => process.exit());
}
