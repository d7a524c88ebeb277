import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/**
 * The receiver of the bench, a process of its own: answers 200 as cheaply as a process can, counts,
 * and takes the time of every body that carries one (`"T":<ms>` with fractions).
 */
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = /content-length: (\d+)/i;
let received = 0;
let latencies: number[] = [];

const server = createServer((socket) => {
  let rest: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    rest = consume(rest === undefined ? chunk : Buffer.concat([rest, chunk]), () =>
      socket.write(ANSWER),
    );
  });
});

/** What is left after all whole requests. */
function consume(data: Buffer, answer: () => void): Buffer | undefined {
  let from = 0;
  for (;;) {
    const end = data.indexOf(HEAD_END, from);
    if (end < 0) break;
    const length = Number(LENGTH.exec(data.toString('latin1', from, end))?.[1] ?? 0);
    const next = end + HEAD_END.length + length;
    if (next > data.length) break;
    note(data, end, next);
    answer();
    from = next;
  }
  return from === data.length ? undefined : data.subarray(from);
}

function note(data: Buffer, from: number, to: number): void {
  received += 1;
  const at = data.indexOf('"T":', from);
  if (at < 0 || at >= to) return;
  const sent = Number.parseFloat(data.toString('latin1', at + 4, at + 24));
  latencies.push(performance.timeOrigin + performance.now() - sent);
}

process.on('message', (message) => {
  if (message === 'read') {
    process.send?.({ received, latencies });
    latencies = [];
  }
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
