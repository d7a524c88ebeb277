import { connect } from 'node:net';
import { notificationOf } from './payload.ts';

export type Load = {
  readonly port: number;
  readonly seconds: number;
  /** Connections that publish at once; each waits for its answer. */
  readonly publishers: number;
  readonly eventsPerRequest: number;
  /** One key for all, or one for each tenant in turn. */
  readonly keys: readonly string[];
  /** Requests a second over all publishers; none: as fast as answers come. */
  readonly rate: number | null;
};

export type LoadResult = {
  readonly requests: number;
  readonly refused: number;
  readonly seconds: number;
  readonly answersMs: readonly number[];
};

/** The load generator, a process of its own: raw sockets, so that it costs little beside the server. */
async function run(load: Load): Promise<LoadResult> {
  const from = performance.now();
  const until = from + load.seconds * 1000;
  const result = { requests: 0, refused: 0, answersMs: [] as number[] };
  await Promise.all(
    Array.from({ length: load.publishers }, (_, n) => publish(load, { n, from, until }, result)),
  );
  return { ...result, seconds: (performance.now() - from) / 1000 };
}

function publish(
  load: Load,
  place: { n: number; from: number; until: number },
  result: { requests: number; refused: number; answersMs: number[] },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(load.port, '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('error', reject);
    let turn = place.n;
    let sentAt = 0;
    const send = (): void => {
      const now = performance.now();
      if (now > place.until) {
        socket.end();
        return resolve();
      }
      const key = load.keys[turn % load.keys.length] ?? '';
      sentAt = now;
      socket.write(requestOf(load, turn, key));
      turn += load.publishers;
    };
    const next = (): void => {
      if (load.rate === null) return send();
      const due = place.from + (turn / load.rate) * 1000;
      setTimeout(send, Math.max(0, due - performance.now()));
    };
    socket.on('data', (chunk) => {
      result.requests += 1;
      if (!chunk.toString('latin1', 0, 12).endsWith('202')) result.refused += 1;
      result.answersMs.push(performance.now() - sentAt);
      next();
    });
    socket.on('connect', next);
  });
}

function requestOf({ eventsPerRequest }: Load, turn: number, key: string): string {
  const at = performance.timeOrigin + performance.now();
  const events = Array.from({ length: eventsPerRequest }, (_, n) =>
    notificationOf(turn * eventsPerRequest + n, at),
  );
  const body = eventsPerRequest === 1 ? events[0] : `[${events.join(',')}]`;
  return `POST /webhooks/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body?.length}\r\n\r\n${body}`;
}

process.on('message', (load: Load) => {
  run(load).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`load: ${String(error)}\n`);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
