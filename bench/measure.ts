import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, type ServerProcess, startServerProcess } from '../tools/server-process.ts';
import { type Case, SERVER_FLAGS } from './cases.ts';
import type { LoadResult } from './load.ts';
import { cpuMicrosOf, Generator, metricsOf, Receiver, rssMbOf } from './processes.ts';

/** One run of one case. */
export type Run = {
  readonly deliveriesPerSecond: number;
  /** Of the server, all of its threads. */
  readonly cpuMicros: number;
  /** Of the receiver and of the load generator, which have the same cores. */
  readonly receiverCpuMicros: number;
  readonly generatorCpuMicros: number;
  readonly rssMb: number;
  /** Publish to receipt: p50, p99, p99.9. */
  readonly latencyMs: readonly number[];
  /** Publish to answer: p50, p99, p99.9. */
  readonly answerMs: readonly number[];
  /** p99 of the delay of the server's event loop. */
  readonly loopDelayMs: number;
  readonly refused: number;
  readonly lost: number;
  readonly repeated: number;
};

export type MeasureOptions = {
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly nodeFlags: readonly string[];
  /** Further flags of the server. */
  readonly flags?: readonly string[];
  /** A data folder that is there and is kept; one that is made and removed where absent. */
  readonly dataDir?: string;
};

/** How long a backlog may take to drain after the load has ended. */
const DRAIN_MS = 120_000;
const LOOP_DELAY = 'nodejs_eventloop_lag_p99_seconds';
const PENDING = 'schoolbell_deliveries_waiting{state="pending"}';

type Setting = {
  readonly server: ServerProcess;
  readonly receiver: Receiver;
  readonly generator: Generator;
  readonly keys: readonly string[];
};

/** A fresh server, receiver and generator, warmed up, measured, and taken away again. */
export async function measure(each: Case, options: MeasureOptions): Promise<Run> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'schoolbell-bench-'));
  const receiver = await Receiver.start();
  const generator = new Generator();
  const { nodeFlags } = options;
  const flags = [...SERVER_FLAGS, ...(options.flags ?? [])];
  const server = await startServerProcess({ dataDir, port: 0, nodeFlags, flags });
  try {
    const keys = await prepare(server, each, receiver.port);
    const setting = { server, receiver, generator, keys };
    await publish(each, setting, options.warmUpSeconds);
    return await runOnce(each, setting, options.seconds);
  } finally {
    generator.stop();
    receiver.stop();
    await endProcess(server.process);
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Tenants with their registrations; a publish key for each. */
async function prepare(server: ServerProcess, each: Case, port: number): Promise<string[]> {
  const keys: string[] = [];
  // A folder that is kept may have tenants of an earlier run.
  const run = Date.now().toString(36);
  for (let tenant = 0; tenant < each.tenants; tenant += 1) {
    const Id = `bench-${run}-${tenant}`;
    await call(server, '/admin/tenants', { Id });
    const key = await call<{ Key: string }>(server, `/admin/tenants/${Id}/keys`, {
      Level: 'Publish',
    });
    keys.push(key.Key);
    for (let n = 0; n < each.registrationsPerTenant; n += 1) {
      const WebHookUri = `http://127.0.0.1:${port}/hook/${tenant}/${n}?noecho`;
      await call(server, '/webhooks/registrations', { WebHookUri }, Id);
    }
  }
  return keys;
}

async function call<T>(
  server: ServerProcess,
  path: string,
  body: unknown,
  tenant = 'default',
): Promise<T> {
  const headers = {
    authorization: `Bearer ${server.adminKey}`,
    'content-type': 'application/json',
    'schoolbell-tenant': tenant,
  };
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  if (!response.ok)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

async function runOnce(each: Case, setting: Setting, seconds: number): Promise<Run> {
  const { server, receiver } = setting;
  await receiver.reset();
  const cpuBefore = cpuMicrosOf(server);
  const { load, expected, received, settledAt, loopDelayMs } = await publish(
    each,
    setting,
    seconds,
  );
  const cpuMicros = cpuMicrosOf(server) - cpuBefore;
  const rssMb = rssMbOf(server);
  const { latencies, cpuMicros: receiverCpu } = await receiver.receipts();
  return {
    deliveriesPerSecond: received / ((settledAt - load.startedAt) / 1000),
    cpuMicros: cpuMicros / received,
    receiverCpuMicros: receiverCpu / received,
    generatorCpuMicros: load.cpuMicros / received,
    rssMb,
    latencyMs: percentiles(latencies),
    answerMs: percentiles(load.answersMs),
    loopDelayMs,
    refused: load.refused,
    lost: Math.max(0, expected - received),
    repeated: Math.max(0, received - expected),
  };
}

type Published = {
  readonly load: LoadResult;
  readonly expected: number;
  readonly received: number;
  /** When everything had arrived and was settled on disk. */
  readonly settledAt: number;
  readonly loopDelayMs: number;
};

/** Publishes, and waits until everything that was accepted has arrived and is settled. */
async function publish(each: Case, setting: Setting, seconds: number): Promise<Published> {
  const { server, receiver, generator, keys } = setting;
  const before = (await receiver.count()).received;
  const port = Number(new URL(server.url).port);
  const load = await generator.run({ ...each.load, keys, port, seconds });
  const events = (load.requests - load.refused) * each.load.eventsPerRequest;
  const expected = events * each.registrationsPerTenant;
  const until = performance.now() + DRAIN_MS;
  const isOver = (): boolean => performance.now() > until;
  let received: number;
  do {
    await sleep(10);
    received = (await receiver.count()).received - before;
  } while (received < expected && !isOver());
  const metrics = await metricsOf(server);
  const loopDelayMs = metrics(LOOP_DELAY) * 1000;
  while (metrics(PENDING) > 0 && !isOver() && (await metricsOf(server))(PENDING) > 0)
    await sleep(10);
  const settledAt = performance.timeOrigin + performance.now();
  return { load, expected, received, settledAt, loopDelayMs };
}

/** p50, p99 and p99.9. */
function percentiles(values: ArrayLike<number>): readonly number[] {
  const sorted = Float64Array.from(values).toSorted();
  return [0.5, 0.99, 0.999].map(
    (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0,
  );
}
