import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { endProcess } from '../../tools/server-process.ts';
import { type Receipts, type Receiver, startReceiver } from './receiver-process.ts';
import { isGood, type Outcome, reportText, verdictOf, weekChart } from './report.ts';
import { Servers } from './servers.ts';
import { readTermData, type TermEvent, termEvents } from './term.ts';

const HERE = fileURLToPath(new URL('./data/', import.meta.url));
/** Publish calls under way at once, one event each. */
const PUBLISHERS = 4;
/** How long the last deliveries are waited for after the last publish. */
const PATIENCE_MS = 30_000;

type Options = {
  readonly data: string;
  readonly presentation: string;
  readonly nodes: number;
  readonly keep?: true;
};

const options = new Command('demo')
  .description(
    'Replays a real term through Schoolbell to a receiver made with the SDK, and checks that every event arrives.',
  )
  .addOption(
    new Option(
      '--data <folder>',
      'folder with the full dataset (studentRegistration, studentInfo, courses as CSV)',
    ).default(HERE, 'the extract in this repository'),
  )
  .option('--presentation <code>', 'which term: a code_presentation of the dataset', '2013J')
  .option(
    '--nodes <number>',
    'servers; of several on one PostgreSQL, one is killed halfway',
    nodesOf,
    1,
  )
  .option('--keep', 'leave the server up afterwards')
  .parse()
  .opts<Options>();

/** What was published and what came, by the key that each event carries. */
class Ledger {
  readonly #publishedAt = new Map<string, number>();
  readonly #receivedAt = new Map<string, number>();
  readonly #ids = new Set<string>();
  duplicates = 0;

  publish(key: string): void {
    this.#publishedAt.set(key, performance.timeOrigin + performance.now());
  }

  receive(receipts: Receipts): void {
    for (const [id, key, at] of receipts) {
      if (this.#ids.has(id) || this.#receivedAt.has(key)) this.duplicates += 1;
      else this.#receivedAt.set(key, at);
      this.#ids.add(id);
    }
  }

  get received(): number {
    return this.#receivedAt.size;
  }

  latencies(): number[] {
    return [...this.#receivedAt].map(([key, at]) => at - (this.#publishedAt.get(key) ?? at));
  }

  lost(): number {
    return [...this.#publishedAt.keys()].filter((key) => !this.#receivedAt.has(key)).length;
  }
}

async function run(
  folder: string,
  servers: Servers,
  started: { receiver?: Receiver },
): Promise<boolean> {
  const events = termEvents(readTermData(options.data), options.presentation);
  if (events.length === 0)
    throw new Error(`The data has no presentation '${options.presentation}'.`);
  const secret = randomBytes(16).toString('hex');
  const log = join(folder, 'refused.txt');
  const ledger = new Ledger();

  await servers.start(folder, options.nodes);
  started.receiver = await startReceiver({ secret, log }, (receipts) => ledger.receive(receipts));
  const { url, adminKey } = servers.first;
  const client = new SchoolbellClient({ baseUrl: url, key: adminKey });
  const registration = await client.register({
    WebHookUri: `http://127.0.0.1:${started.receiver.port}/webhooks`,
    Secret: secret,
    Description: 'The receiver of the demo',
  });
  say(`Schoolbell runs at ${placesOf(servers)}; the webhook ${registration.Id} answered its echo.`);
  say(
    `Term ${options.presentation}: ${events.length.toLocaleString('en')} events of real learners.\n`,
  );

  const from = performance.now();
  await publishAll(servers, events, ledger);
  await arrivalOf(events.length, ledger);
  const seconds = (performance.now() - from) / 1000;
  const unverified = existsSync(log) ? readFileSync(log, 'utf8').split('\n').length - 1 : 0;
  const { received, duplicates } = ledger;
  const outcome: Outcome = {
    published: events.length,
    received,
    unverified,
    duplicates,
    lost: ledger.lost(),
    latencies: ledger.latencies(),
    seconds,
    killed: servers.killed,
  };
  say(`\n${reportText(outcome)}\n`);
  say('  Enrolments by week, counted from the first day of the courses:\n');
  say(
    weekChart(events.filter(({ action }) => action === 'CourseEnrollment').map(({ day }) => day)),
  );
  say(`\n${verdictOf(outcome)}`);
  return isGood(outcome);
}

async function publishAll(
  servers: Servers,
  events: readonly TermEvent[],
  ledger: Ledger,
): Promise<void> {
  const progress = new Progress(events.length);
  const halfway = options.nodes > 1 ? Math.floor(events.length / 2) : -1;
  let next = 0;
  const publisher = async (turn: number): Promise<void> => {
    for (let index = next++; index < events.length; index = next++) {
      const event = events[index];
      if (event === undefined) return;
      if (index === halfway) say(`  kill -9: ${await servers.killTheSender()}, which sent`);
      const key = String(index);
      ledger.publish(key);
      await servers.publish({ ...event.notification, DemoKey: key }, `demo ${key}`, turn);
      progress.show(index + 1, ledger.received);
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, (_, turn) => publisher(turn)));
  progress.end(events.length, ledger.received);
}

async function arrivalOf(count: number, ledger: Ledger): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (ledger.received < count && performance.now() < until)
    await new Promise((resolve) => setTimeout(resolve, 50));
}

/** A bar on a terminal, a line every tenth elsewhere. */
class Progress {
  readonly #total: number;
  #shown = 0;
  #tenths = 0;

  constructor(total: number) {
    this.#total = total;
  }

  show(published: number, received: number): void {
    const tenths = Math.floor((published * 10) / this.#total);
    if (process.stdout.isTTY && performance.now() - this.#shown > 80)
      this.#draw(published, received);
    else if (!process.stdout.isTTY && tenths > this.#tenths)
      say(`  ${tenths * 10} % published, ${received.toLocaleString('en')} received`);
    this.#tenths = Math.max(this.#tenths, tenths);
  }

  end(published: number, received: number): void {
    if (!process.stdout.isTTY) return;
    this.#draw(published, received);
    process.stdout.write('\n');
  }

  #draw(published: number, received: number): void {
    this.#shown = performance.now();
    const filled = Math.round((published / this.#total) * 40);
    const bar = '█'.repeat(filled) + '░'.repeat(40 - filled);
    const counts = `${published.toLocaleString('en')} published, ${received.toLocaleString('en')} received`;
    process.stdout.write(`\r  ${bar} ${counts}\u001b[K`);
  }
}

function placesOf({ alive }: Servers): string {
  return alive.map(({ url }) => url).join(' and ');
}

function nodesOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 9) return count;
  throw new InvalidArgumentError('It takes a number from 1 to 9.');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `fetch failed` alone tells nobody what happened. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-demo-'));
  const servers = new Servers();
  const started: { receiver?: Receiver } = {};
  const clean = async (): Promise<void> => {
    await Promise.all([servers.stop(), endProcess(started.receiver?.process)]);
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupt = new AbortController();
  process.once('SIGINT', () => {
    interrupt.abort();
    void clean();
  });
  try {
    process.exitCode = (await run(folder, servers, started)) ? 0 : 1;
    if (options.keep === true) {
      const { url, adminKey } = servers.first;
      say(
        `\nStill running. Try it at ${url}/swagger\n  Authorize with user name 'api' and password ${adminKey}\nCtrl-C stops it.`,
      );
      return;
    }
  } catch (error) {
    process.stderr.write(`\ndemo: ${interrupt.signal.aborted ? 'Stopped.' : reasonOf(error)}\n`);
    process.exitCode = interrupt.signal.aborted ? 130 : 1;
  }
  await clean();
}

await main();
