import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, Command as Program } from 'commander';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';
import { SERVER_FLAGS } from '../cases.ts';
import { Generator } from '../processes.ts';
import { call, register } from '../scale/store.ts';
import type { Command, Seen } from './receiver.ts';

const options = new Program('isolation')
  .description('Shows that endpoints which fail or never answer cost the others nothing.')
  .option('--parts <names>', 'which parts, separated by commas', partsOf, 'neighbours,comeback')
  .option('--rounds <number>', 'how often neighbours are measured; medians are shown', '3')
  .option('--seconds <number>', 'how long each run is measured', '15')
  .option('--backlog <number>', 'deliveries that wait for the endpoint that comes back', '100000')
  .parse(process.argv.slice(3), { from: 'user' })
  .opts<Record<'parts' | 'rounds' | 'seconds' | 'backlog', string>>();

function partsOf(text: string): string {
  const unknown = text.split(',').find((name) => !['neighbours', 'comeback'].includes(name));
  if (unknown === undefined) return text;
  throw new InvalidArgumentError(`There is no part '${unknown}'; there are neighbours, comeback.`);
}

const TENANTS = 100;
const REGISTRATIONS = 10;
const BAD_OF_EACH_KIND = 10;
const EVENTS_PER_SECOND = 100;
/** Breakers are open by then: ten attempts, one after another, that time out. */
const WARM_UP_SECONDS = 26;
const FLAGS = [...SERVER_FLAGS, '--request-timeout', '2s'];
/** Failures in a row that open a breaker, and one attempt that may be under way meanwhile. */
const MAY_FAIL_CLOSED = 11;
const FIRST_PROBE_MS = 4000;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A server, and the receiver that its registrations point at. */
class Stage {
  readonly #folder = mkdtempSync(join(tmpdir(), 'schoolbell-isolation-'));
  readonly generator = new Generator();
  #receiver: ChildProcess | undefined;
  #server: ServerProcess | undefined;
  port = 0;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    stage.#receiver = fork(fileURLToPath(new URL('./receiver.ts', import.meta.url)), {
      serialization: 'advanced',
    });
    const [{ port }] = (await once(stage.#receiver, 'message')) as [{ port: number }];
    stage.port = port;
    stage.#server = await startServerProcess({ dataDir: stage.#folder, port: 0, flags: FLAGS });
    return stage;
  }

  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error('the server is not started');
    return this.#server;
  }

  async ask(command: Command): Promise<Seen[]> {
    const answer = once(this.#receiver ?? process, 'message') as Promise<[Seen[]]>;
    this.#receiver?.send(command);
    return (await answer)[0];
  }

  /** A tenant with these paths registered; its publish key. */
  async tenant(id: string, paths: readonly string[]): Promise<string> {
    await call(this.server, '/admin/tenants', { Id: id });
    for (const path of paths)
      await register(this.server, id, `http://127.0.0.1:${this.port}${path}?noecho`);
    const level = { Level: 'Publish' };
    return (await call<{ Key: string }>(this.server, `/admin/tenants/${id}/keys`, level)).Key;
  }

  /** Resolves when the server has noted what the events so far are found by: work that filling left behind. */
  async rest(): Promise<void> {
    await fetch(`${this.server.url}/webhooks/events?action=CourseCompleted&limit=1`, {
      headers: { authorization: `Bearer ${this.server.adminKey}`, 'schoolbell-tenant': 'down' },
    });
  }

  publish(
    keys: readonly string[],
    seconds: number,
    rate: number | null,
    eventsPerRequest = 1,
  ): Promise<{ requests: number }> {
    const port = Number(new URL(this.server.url).port);
    return this.generator.run({
      ports: [port],
      keys,
      seconds,
      rate,
      eventsPerRequest,
      publishers: 32,
    });
  }

  async close(): Promise<void> {
    this.generator.stop();
    this.#receiver?.disconnect();
    await endProcess(this.#server?.process);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

type Neighbours = { readonly p50: number; readonly p99: number; readonly perSecond: number };

/** What the healthy endpoints see, with or without bad ones among them. */
async function neighbours(withBad: boolean): Promise<Neighbours> {
  const stage = await Stage.open();
  try {
    const keys: string[] = [];
    for (let t = 0; t < TENANTS; t += 1) {
      const paths = Array.from({ length: REGISTRATIONS }, (_, n) => `/good/${t}/${n}`);
      if (withBad && t < BAD_OF_EACH_KIND * 2)
        paths[0] = t < BAD_OF_EACH_KIND ? `/silent/${t}` : `/failing/${t}`;
      keys.push(await stage.tenant(`t${t}`, paths));
    }
    await stage.publish(keys, WARM_UP_SECONDS, EVENTS_PER_SECOND);
    if (withBad) checkBad(await stage.ask('seen'));
    await stage.ask('reset');
    const seconds = Number(options.seconds);
    await stage.publish(keys, seconds, EVENTS_PER_SECOND);
    const seen = await stage.ask('seen');
    const good = seen.filter(({ path }) => path.startsWith('/good'));
    if (withBad) checkOpen(seen.filter(({ path }) => !path.startsWith('/good')));
    return { ...percentiles(good), perSecond: good.length / seconds };
  } finally {
    await stage.close();
  }
}

/** Before it opened a breaker let as many through as it counts; after that one probe at a time. */
function checkBad(seen: readonly Seen[]): void {
  for (const [path, requests] of Map.groupBy(seen, (each) => each.path)) {
    if (path.startsWith('/good')) continue;
    const first = requests[0]?.at ?? 0;
    const last = requests.at(-1)?.at ?? 0;
    const probes = Math.ceil((last - first) / FIRST_PROBE_MS);
    if (requests.length > MAY_FAIL_CLOSED + probes)
      throw new Error(`${path} had ${requests.length} requests in ${Math.round(last - first)} ms`);
  }
}

/** While the breakers are open. */
function checkOpen(bad: readonly Seen[]): void {
  const most = Math.max(0, ...bad.map(({ inFlight }) => inFlight));
  const paths = Map.groupBy(bad, ({ path }) => path);
  const requests = Math.max(0, ...[...paths.values()].map(({ length }) => length));
  say(
    `  open breakers: at most ${most} in flight to one endpoint, at most ${requests} requests to one in ${options.seconds} s`,
  );
  if (most > 1) throw new Error(`${most} requests were in flight to an open breaker`);
}

function percentiles(seen: readonly Seen[]): { p50: number; p99: number } {
  const sorted = seen.flatMap(({ latencyMs }) => latencyMs ?? []).toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

async function compareNeighbours(): Promise<void> {
  const ratios: number[] = [];
  say('1,000 endpoints, 1,000 deliveries a second, 10 never answer and 10 answer 500');
  for (let round = 0; round < Number(options.rounds); round += 1) {
    const without = await neighbours(false);
    const withBad = await neighbours(true);
    ratios.push(withBad.p99 / without.p99);
    say(`  healthy without bad: ${text(without)}; with bad: ${text(withBad)}`);
  }
  ratios.sort((a, b) => a - b);
  say(`  p99 ratio ${ratios[Math.floor(ratios.length / 2)]?.toFixed(2)} (median; goal 1.2)`);
}

function text({ p50, p99, perSecond }: Neighbours): string {
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${perSecond.toFixed(0)}/s`;
}

/** An endpoint that was down comes back with a backlog, beside a neighbour on the same host. */
async function comeback(): Promise<void> {
  const stage = await Stage.open();
  try {
    const down = await stage.tenant('down', ['/back']);
    const neighbour = await stage.tenant('neighbour', ['/good/neighbour']);
    const batch = 50;
    let published = 0;
    while (published < Number(options.backlog))
      published += (await stage.publish([down], 1, null, batch)).requests * batch;
    await stage.rest();
    await stage.ask('reset');
    await stage.publish([neighbour], 10, EVENTS_PER_SECOND);
    const before = percentiles((await stage.ask('seen')).filter(({ path }) => path !== '/back'));
    await stage.ask('up');
    await stage.ask('reset');
    const publishing = stage.publish([neighbour], 30, EVENTS_PER_SECOND);
    await publishing;
    report(published, before, await stage.ask('seen'));
  } finally {
    await stage.close();
  }
}

function report(
  waiting: number,
  before: { p50: number; p99: number },
  seen: readonly Seen[],
): void {
  const back = seen.filter(({ path }) => path.startsWith('/back'));
  const from = back[0]?.at ?? 0;
  say(`\nAn endpoint comes back with ${waiting.toLocaleString('en')} deliveries waiting`);
  say(`  requests in flight, by order of arrival: ${steps(back, from)}`);
  say(`  ${back.length} delivered in ${(((back.at(-1)?.at ?? 0) - from) / 1000).toFixed(1)} s`);
  const during = percentiles(
    seen.filter(({ path, at }) => !path.startsWith('/back') && at >= from),
  );
  say(`  neighbour, down: p50 ${before.p50.toFixed(1)} ms, p99 ${before.p99.toFixed(1)} ms`);
  say(
    `  neighbour, while it catches up: p50 ${during.p50.toFixed(1)} ms, p99 ${during.p99.toFixed(1)} ms`,
  );
}

/** When so many were first in flight at once, and how many had been answered by then. */
function steps(back: readonly Seen[], from: number): string {
  let most = 0;
  const found: string[] = [];
  for (const [index, { inFlight, at }] of back.entries()) {
    if (inFlight <= most) continue;
    most = inFlight;
    found.push(`${inFlight} after ${index} requests and ${(at - from).toFixed(0)} ms`);
  }
  return found.join(', ');
}

if (options.parts.includes('neighbours')) await compareNeighbours();
if (options.parts.includes('comeback')) await comeback();
