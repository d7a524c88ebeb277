/**
 * A server in a thread of its own, so that it sends while the event loop of the tests stands still:
 * answers the first request of a connection with 200 and, a moment later, with another 200 that
 * nobody asked for; every later request with 500.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { parentPort } from 'node:worker_threads';
import { onRequest, plain } from './raw-server.ts';

const UNASKED_AFTER_MS = 5;

const server: Server = createServer((socket) => {
  let requests = 0;
  socket.on('error', () => undefined);
  onRequest(socket, () => {
    requests += 1;
    socket.write(plain(requests === 1 ? 200 : 500));
    if (requests === 1) setTimeout(() => socket.write(plain(200, 'unasked')), UNASKED_AFTER_MS);
  });
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
parentPort?.postMessage((server.address() as AddressInfo).port);
