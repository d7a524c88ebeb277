import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHandler, toNodeHandler } from '../../packages/sdk/src/index.ts';

/**
 * The demo's receiver, a process of its own: verifies each delivery with the SDK and tells its
 * parent what came. It knows nothing of Schoolbell but its secret.
 */
const secret = process.env['RECEIVER_SECRET'] ?? '';
const failures = process.env['RECEIVER_LOG'] ?? '';
let received: [id: string, key: string, at: number][] = [];

const handler = createHandler({
  secret,
  onOther: (notification, { id }) => {
    received.push([
      id,
      String(notification['DemoKey']),
      performance.timeOrigin + performance.now(),
    ]);
  },
});
const serve = toNodeHandler(async (request) => {
  const answer = await handler(request);
  if (answer.status >= 400)
    appendFileSync(failures, `${answer.status} ${await answer.clone().text()}\n`);
  return answer;
});
const server = createServer((request, response) => void serve(request, response));
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
server.keepAliveTimeout = 60_000;

const report = setInterval(() => {
  if (received.length === 0) return;
  process.send?.({ received });
  received = [];
}, 50);

process.on('disconnect', () => {
  clearInterval(report);
  server.closeAllConnections();
  server.close();
});
