import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** What has come since the last `reset`. */
export type Count = { readonly received: number };

/** `latencies`: publish to receipt, in milliseconds. */
export type Receipts = { readonly latencies: Float64Array; readonly cpuMicros: number };

/**
 * The receiver of the bench, a process of its own: answers 200 as cheaply as a process can, counts,
 * and takes the time of every body that carries one (`"T":<ms>` with fractions).
 */
const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = /content-length: (\d+)/i;
let latencies: number[] = [];
let cpu = process.cpuUsage();

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
  const at = data.indexOf('"T":', from);
  const sent =
    at < 0 || at >= to ? Number.NaN : Number.parseFloat(data.toString('latin1', at + 4, at + 24));
  latencies.push(performance.timeOrigin + performance.now() - sent);
}

function receipts(): Receipts {
  const { user, system } = process.cpuUsage(cpu);
  return { latencies: Float64Array.from(latencies), cpuMicros: user + system };
}

process.on('message', (message: 'reset' | 'count' | 'receipts') => {
  if (message === 'receipts') return process.send?.(receipts());
  if (message === 'reset') {
    latencies = [];
    cpu = process.cpuUsage();
  }
  return process.send?.({ received: latencies.length } satisfies Count);
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
);
