import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../tools/server-process.ts';
import { type Case, SERVER_FLAGS } from './cases.ts';
import type { DatabaseWork } from './database.ts';
import { type FilledDatabase, Installation } from './installation.ts';
import type { LoadResult } from './load.ts';
import { cpuMicrosOf, Generator, metricsOf, Receiver, rssMbOf } from './processes.ts';

/** One run of one case. */
export type Run = {
  readonly deliveriesPerSecond: number;
  /** Of all nodes, all of their threads. */
  readonly cpuMicros: number;
  /** Of the receiver and of the load generator, which have the same cores. */
  readonly receiverCpuMicros: number;
  readonly generatorCpuMicros: number;
  readonly rssMb: number;
  /** Publish to receipt: p50, p99, p99.9. */
  readonly latencyMs: readonly number[];
  /** Publish to answer: p50, p99, p99.9. */
  readonly answerMs: readonly number[];
  /** What PostgreSQL did for a delivery; zeros with the embedded store. */
  readonly database: DatabaseWork;
  /** p99 of the delay of the slowest node's event loop. */
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
  /** Nodes on one PostgreSQL; the embedded store where absent. */
  readonly postgresNodes?: number;
  /** The one to use, which is kept; one that is made and removed where absent. */
  readonly filled?: FilledDatabase;
};

/** How long a backlog may take to drain after the load has ended. */
const DRAIN_MS = 120_000;
const LOOP_DELAY = 'nodejs_eventloop_lag_p99_seconds';
const PENDING = 'schoolbell_deliveries_waiting{state="pending"}';

const NO_WORK: DatabaseWork = { statements: 0, statementMicros: 0, cpuMicros: 0 };

type Setting = {
  readonly installation: Installation;
  readonly receiver: Receiver;
  readonly generator: Generator;
  readonly keys: readonly string[];
};

/** A fresh installation, receiver and generator, warmed up, measured, and taken away again. */
export async function measure(each: Case, options: MeasureOptions): Promise<Run> {
  const receiver = await Receiver.start();
  const generator = new Generator();
  const { postgresNodes = null } = options;
  const flags = [...SERVER_FLAGS, ...(options.flags ?? [])];
  const installation = await Installation.start({ ...options, flags, postgresNodes });
  try {
    const keys = await prepare(installation.first, each, receiver.port);
    const setting = { installation, receiver, generator, keys };
    await publish(each, setting, options.warmUpSeconds);
    return await runOnce(each, setting, options.seconds);
  } finally {
    generator.stop();
    receiver.stop();
    await installation.stop();
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
      const order = each.ordering === undefined ? {} : { Ordering: each.ordering };
      await call(server, '/webhooks/registrations', { WebHookUri, ...order }, Id);
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
  const { installation, receiver } = setting;
  const { nodes, database } = installation;
  await receiver.reset();
  await database?.work();
  const cpuBefore = sum(nodes.map(cpuMicrosOf));
  const { load, expected, received, settledAt, loopDelayMs } = await publish(
    each,
    setting,
    seconds,
  );
  const cpuMicros = sum(nodes.map(cpuMicrosOf)) - cpuBefore;
  const rssMb = sum(nodes.map(rssMbOf));
  const work = (await database?.work()) ?? NO_WORK;
  const { latencies, cpuMicros: receiverCpu } = await receiver.receipts();
  return {
    deliveriesPerSecond: received / ((settledAt - load.startedAt) / 1000),
    cpuMicros: cpuMicros / received,
    receiverCpuMicros: receiverCpu / received,
    generatorCpuMicros: load.cpuMicros / received,
    rssMb,
    latencyMs: percentiles(latencies),
    answerMs: percentiles(load.answersMs),
    database: {
      statements: work.statements / received,
      statementMicros: work.statementMicros / received,
      cpuMicros: work.cpuMicros / received,
    },
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
  const { installation, receiver, generator, keys } = setting;
  const before = (await receiver.count()).received;
  const ports = installation.nodes.map(({ url }) => Number(new URL(url).port));
  const load = await generator.run({ ...each.load, keys, ports, seconds });
  const events = (load.requests - load.refused) * each.load.eventsPerRequest;
  const expected = events * each.registrationsPerTenant;
  const until = performance.now() + DRAIN_MS;
  const isOver = (): boolean => performance.now() > until;
  let received: number;
  do {
    await sleep(10);
    received = (await receiver.count()).received - before;
  } while (received < expected && !isOver());
  const metrics = await Promise.all(installation.nodes.map(metricsOf));
  const loopDelayMs = Math.max(...metrics.map((of) => of(LOOP_DELAY))) * 1000;
  while (!isOver() && (await pendingIn(installation)) > 0) await sleep(10);
  const settledAt = performance.timeOrigin + performance.now();
  return { load, expected, received, settledAt, loopDelayMs };
}

async function pendingIn({ database, first }: Installation): Promise<number> {
  return database === undefined ? (await metricsOf(first))(PENDING) : database.pending();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** p50, p99 and p99.9. */
function percentiles(values: ArrayLike<number>): readonly number[] {
  const sorted = Float64Array.from(values).toSorted();
  return [0.5, 0.99, 0.999].map(
    (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0,
  );
}
