import { type ChildProcess, execFile, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { endProcess, type ServerProcess, startServerProcess } from '../tools/server-process.ts';
import type { Load, LoadResult } from './load.ts';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

type Case = {
  readonly name: string;
  readonly about: string;
  readonly tenants: number;
  readonly registrationsPerTenant: number;
  readonly load: Pick<Load, 'publishers' | 'eventsPerRequest' | 'rate'>;
  /** Least ratio to the raw limit that is aimed at; none for latency cases. */
  readonly goal: number | null;
};

const CASES: readonly Case[] = [
  {
    name: 'one',
    about: 'one event a request, 64 publishers, one registration',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 64, eventsPerRequest: 1, rate: null },
    goal: 0.3,
  },
  {
    name: 'batch50',
    about: '50 events a request',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 8, eventsPerRequest: 50, rate: null },
    goal: 0.6,
  },
  {
    name: 'fanout10',
    about: 'one event to 10 registrations',
    tenants: 1,
    registrationsPerTenant: 10,
    load: { publishers: 32, eventsPerRequest: 1, rate: null },
    goal: 0.6,
  },
  {
    name: 'tenants',
    about: '1,000 registrations of 100 tenants, evenly',
    tenants: 100,
    registrationsPerTenant: 10,
    load: { publishers: 32, eventsPerRequest: 1, rate: null },
    goal: 0.5,
  },
  {
    name: 'open500',
    about: '500 events a second, open loop',
    tenants: 1,
    registrationsPerTenant: 1,
    load: { publishers: 64, eventsPerRequest: 1, rate: 500 },
    goal: null,
  },
];

const options = new Command('bench')
  .description('Measures Schoolbell end to end beside the raw limit of the same run.')
  .option(
    '--case <names>',
    `which cases, separated by commas: ${CASES.map(({ name }) => name).join(', ')}`,
    CASES.map(({ name }) => name).join(','),
  )
  .option('--seconds <number>', 'how long each case publishes', '5')
  .option('--json', 'print JSON alone')
  .option('--cpu-prof <folder>', 'write a CPU profile of the server there')
  .parse()
  .opts<{ case: string; seconds: string; json?: true; cpuProf?: string }>();

const SECONDS = Number(options.seconds);
/** How long a backlog may take to drain after the load has ended. */
const DRAIN_MS = 60_000;

type Receipts = { readonly received: number; readonly latencies: readonly number[] };

class Receiver {
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.port = port;
  }

  static async start(): Promise<Receiver> {
    const child = fork(file('./receiver.ts'));
    const { port } = await answerOf<{ port: number }>(child);
    return new Receiver(child, port);
  }

  read(): Promise<Receipts> {
    const answer = answerOf<Receipts>(this.#process);
    this.#process.send('read');
    return answer;
  }

  stop(): void {
    this.#process.disconnect();
  }
}

function answerOf<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('exit', reject);
    child.once('message', (message) => {
      child.off('exit', reject);
      resolve(message as T);
    });
  });
}

function startServer(folder: string): Promise<ServerProcess> {
  const nodeFlags =
    options.cpuProf === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.cpuProf}`];
  return startServerProcess({ dataDir: folder, port: 0, nodeFlags });
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

/** Tenants with their registrations; a publish key for each. */
async function prepare(server: ServerProcess, each: Case, port: number): Promise<string[]> {
  const keys: string[] = [];
  for (let tenant = 0; tenant < each.tenants; tenant += 1) {
    const Id = `bench${tenant}`;
    await call(server, '/admin/tenants', { Id });
    keys.push(
      (await call<{ Key: string }>(server, `/admin/tenants/${Id}/keys`, { Level: 'Publish' })).Key,
    );
    for (let n = 0; n < each.registrationsPerTenant; n += 1) {
      await call(
        server,
        '/webhooks/registrations',
        { WebHookUri: `http://127.0.0.1:${port}/hook/${tenant}/${n}?noecho` },
        Id,
      );
    }
  }
  return keys;
}

type Result = {
  readonly case: string;
  readonly deliveriesPerSecond: number;
  readonly ratio: number;
  readonly goal: number | null;
  readonly cpuMicrosPerDelivery: number;
  readonly rssMb: number;
  readonly latencyMs: readonly number[];
  readonly answerMs: readonly number[];
  readonly refused: number;
  readonly lost: number;
};

async function measure(each: Case, raw: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-bench-'));
  const receiver = await Receiver.start();
  const server = await startServer(folder);
  try {
    const keys = await prepare(server, each, receiver.port);
    const cpuBefore = cpuSeconds(server);
    const from = performance.now();
    const load = await runLoad({
      ...each.load,
      keys,
      port: Number(new URL(server.url).port),
      seconds: SECONDS,
    });
    const expected =
      (load.requests - load.refused) * each.load.eventsPerRequest * each.registrationsPerTenant;
    const receipts = await drain(receiver, expected);
    const seconds = (performance.now() - from) / 1000;
    const rate = receipts.received / seconds;
    return {
      case: each.name,
      deliveriesPerSecond: rate,
      ratio: rate / raw,
      goal: each.goal,
      cpuMicrosPerDelivery: ((cpuSeconds(server) - cpuBefore) * 1e6) / receipts.received,
      rssMb: rssMb(server),
      latencyMs: percentiles(receipts.latencies),
      answerMs: percentiles(load.answersMs),
      refused: load.refused,
      lost: expected - receipts.received,
    };
  } finally {
    receiver.stop();
    await endProcess(server.process);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runLoad(load: Load): Promise<LoadResult> {
  const child = fork(file('./load.ts'));
  const result = answerOf<LoadResult>(child);
  child.send(load);
  return result;
}

/** Waits until everything that was accepted has arrived. */
async function drain(receiver: Receiver, expected: number): Promise<Receipts> {
  const until = performance.now() + DRAIN_MS;
  const latencies: number[] = [];
  for (;;) {
    const { received, latencies: more } = await receiver.read();
    for (const latency of more) latencies.push(latency);
    if (received >= expected || performance.now() > until) return { received, latencies };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function measureRaw(): Promise<number> {
  const receiver = await Receiver.start();
  const { stdout } = await promisify(execFile)(process.execPath, [
    file('./raw.ts'),
    String(receiver.port),
    String(SECONDS),
  ]);
  receiver.stop();
  return (JSON.parse(stdout) as { rate: number }).rate;
}

/** User and system time, all threads, from /proc in clock ticks of 10 ms. */
function cpuSeconds({ process: { pid } }: ServerProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function rssMb({ process: { pid } }: ServerProcess): number {
  return (
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  );
}

/** p50, p99 and p99.9. */
function percentiles(values: readonly number[]): readonly number[] {
  const sorted = Float64Array.from(values).toSorted();
  return [0.5, 0.99, 0.999].map(
    (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0,
  );
}

function table(raw: number, results: readonly Result[]): string {
  const about = new Map(CASES.map((each) => [each.name, each.about]));
  const rows = results.map((result) => [
    about.get(result.case) ?? '',
    Math.round(result.deliveriesPerSecond).toLocaleString('en'),
    result.goal === null ? '' : `${result.ratio.toFixed(2)} (goal ${result.goal})`,
    result.cpuMicrosPerDelivery.toFixed(0),
    result.rssMb.toFixed(0),
    result.latencyMs.map((ms) => ms.toFixed(1)).join(' / '),
    result.answerMs.map((ms) => ms.toFixed(1)).join(' / '),
    String(result.lost),
  ]);
  const header = [
    'case',
    'deliveries/s',
    'ratio to raw',
    'CPU µs',
    'RSS MB',
    'publish to receipt ms p50/p99/p99.9',
    'answer ms p50/p99/p99.9',
    'lost',
  ];
  const lines = [header, header.map(() => '---'), ...rows].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
  return `Raw limit: ${Math.round(raw).toLocaleString('en')} signed posts a second.\n\n${lines.join('\n')}`;
}

const wanted = options.case.split(',');
const raw = await measureRaw();
const results: Result[] = [];
for (const each of CASES.filter(({ name }) => wanted.includes(name)))
  results.push(await measure(each, raw));
process.stdout.write(
  options.json === true
    ? `${JSON.stringify({ raw, results }, null, 2)}\n`
    : `${table(raw, results)}\n`,
);
