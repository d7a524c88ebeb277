/**
 * Forked by receivers-load.test.ts, which is the receivers: sends to each of them, many at once,
 * and to a good one beside it, and says what came of it and of the memory of this process.
 */
import type { Egress } from '../../packages/server/src/egress/port.ts';
import { brief, openEgress, post } from '../../packages/server/src/egress/testing/open-egress.ts';

export type LoadOrder = {
  readonly good: number;
  readonly hostile: readonly { readonly id: string; readonly port: number }[];
  readonly attempts: number;
  readonly atOnce: number;
};

export type LoadReport = {
  readonly rows: readonly {
    readonly id: string;
    readonly endings: Readonly<Record<string, number>>;
    /** The most that the process held more than before, in bytes. */
    readonly grownBytes: number;
    /** Of requests to the good receiver meanwhile. */
    readonly good: Latencies;
  }[];
  /** Of requests to the good receiver alone. */
  readonly alone: Latencies;
  /** What keeps the process alive after everything is closed. */
  readonly left: readonly string[];
};

type Latencies = { readonly count: number; readonly failed: number; readonly p99Ms: number };

const SAMPLE_MS = 20;
const GOOD_EVERY_MS = 5;
const ALONE_MS = 1000;

process.once('message', (order: LoadOrder) => {
  void run(order).then((report) => process.send?.(report, () => process.disconnect()));
});

async function run(order: LoadOrder): Promise<LoadReport> {
  const egress = openEgress({ requestTimeoutMs: 20_000, connectTimeoutMs: 10_000 });
  // What grows once and stays so is no leak: buffers, code, the heap's own room.
  for (const { id, port } of order.hostile) {
    await attack(egress, { id, port, attempts: order.atOnce, atOnce: order.atOnce });
  }
  const alone = await watchGood(egress, order.good, wait(ALONE_MS));
  const rows: LoadReport['rows'][number][] = [];
  for (const { id, port } of order.hostile) {
    const before = process.memoryUsage.rss();
    let most = before;
    const sampling = setInterval(
      () => (most = Math.max(most, process.memoryUsage.rss())),
      SAMPLE_MS,
    );
    const attacked = attack(egress, { id, port, ...order });
    const good = await watchGood(egress, order.good, attacked);
    clearInterval(sampling);
    rows.push({ id, endings: await attacked, grownBytes: most - before, good });
  }
  await egress.close();
  await wait(SAMPLE_MS);
  const left = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');
  return { rows, alone, left };
}

/** So many attempts at once until all are made; how many ended in which way. */
async function attack(
  egress: Egress,
  to: { id: string; port: number; attempts: number; atOnce: number },
): Promise<Record<string, number>> {
  const endings: Record<string, number> = {};
  let left = to.attempts;
  const one = async (): Promise<void> => {
    for (; left > 0;) {
      left -= 1;
      const outcome = await egress.send(post(`http://127.0.0.1:${to.port}/`, { pool: to.id }));
      endings[brief(outcome)] = (endings[brief(outcome)] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: to.atOnce }, one));
  egress.forget(to.id);
  return endings;
}

/** Asks the good receiver again and again until something else has ended. */
async function watchGood(egress: Egress, port: number, end: Promise<unknown>): Promise<Latencies> {
  const other = { isOver: false };
  void end.then(() => (other.isOver = true));
  const taken: number[] = [];
  let failed = 0;
  do {
    const startedAt = performance.now();
    const outcome = await egress.send(post(`http://127.0.0.1:${port}/`, { pool: 'good' }));
    taken.push(performance.now() - startedAt);
    if (brief(outcome) !== '200') failed += 1;
    await wait(GOOD_EVERY_MS);
  } while (!other.isOver);
  const sorted = taken.toSorted((a, b) => a - b);
  const p99Ms = sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  return { count: taken.length, failed, p99Ms };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
