import { connect } from 'node:net';
import { notificationOf } from './payload.ts';

export type Load = {
  /** Of the nodes; publishers are spread over them. */
  readonly ports: readonly number[];
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
  /** When the first request was sent, in milliseconds since 1970 with fractions. */
  readonly startedAt: number;
  readonly answersMs: readonly number[];
  readonly cpuMicros: number;
};

type Tally = { requests: number; refused: number; readonly answersMs: number[] };

/** The load generator, a process of its own: raw sockets, so that it costs little beside the server. */
async function run(load: Load): Promise<LoadResult> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  const until = from + load.seconds * 1000;
  const tally: Tally = { requests: 0, refused: 0, answersMs: [] };
  await Promise.all(
    Array.from({ length: load.publishers }, (_, n) => publish(load, { n, from, until }, tally)),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { ...tally, startedAt: performance.timeOrigin + from, cpuMicros: user + system };
}

function publish(
  load: Load,
  place: { n: number; from: number; until: number },
  tally: Tally,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(load.ports[place.n % load.ports.length] ?? 0, '127.0.0.1');
    socket.setNoDelay(true);
    socket.on('error', reject);
    let turn = place.n;
    let sentAt = 0;
    const send = (at: number): void => {
      if (performance.now() > place.until) {
        socket.end();
        return resolve();
      }
      const key = load.keys[turn % load.keys.length] ?? '';
      sentAt = at;
      socket.write(requestOf(load, turn, key, at));
      turn += load.publishers;
    };
    const next = (): void => {
      const now = performance.now();
      if (load.rate === null) return send(now);
      const due = place.from + (turn / load.rate) * 1000;
      // Open loop: an event that had to wait for an earlier answer has waited since it was due.
      if (due <= now) return send(due);
      setTimeout(() => send(performance.now()), due - now);
    };
    socket.on('data', (chunk) => {
      tally.requests += 1;
      if (!chunk.toString('latin1', 0, 12).endsWith('202')) tally.refused += 1;
      tally.answersMs.push(performance.now() - sentAt);
      next();
    });
    socket.on('connect', next);
  });
}

function requestOf({ eventsPerRequest }: Load, turn: number, key: string, sentAt: number): string {
  const at = performance.timeOrigin + sentAt;
  const events = Array.from({ length: eventsPerRequest }, (_, n) =>
    notificationOf(turn * eventsPerRequest + n, at),
  );
  const body = eventsPerRequest === 1 ? events[0] : `[${events.join(',')}]`;
  return `POST /webhooks/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body?.length}\r\n\r\n${body}`;
}

process.on('message', (load: Load) => {
  run(load).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      process.stderr.write(`load: ${String(error)}\n`);
      process.exitCode = 1;
      process.disconnect();
    },
  );
});
