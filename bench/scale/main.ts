import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Command, Option } from 'commander';
import { type Case, CASES } from '../cases.ts';
import { measure, type MeasureOptions, type Run } from '../measure.ts';
import { measureLog } from './log.ts';
import { measureMatching } from './match.ts';
import { measureBacklog } from './pending.ts';
import { filledDatabase } from './postgres.ts';
import { filledStore, OLDEST_DAYS } from './store.ts';

const PARTS = 'log,speed,retention,matching,backlog';

const options = new Command('scale')
  .description('Shows that what a store holds does not make it slower.')
  .option('--parts <names>', 'which parts, separated by commas', PARTS)
  .addOption(
    new Option('--store <name>', 'where speed is measured')
      .choices(['sqlite', 'postgres'])
      .default('sqlite'),
  )
  .option('--attempts <number>', 'attempts in the store', '10000000')
  .option(
    '--folder <folder>',
    'keeps the filled store there for the next run; a folder that is removed where absent',
  )
  .option('--case <name>', 'the case of the bench whose speed is measured', 'fanout10')
  .option('--seconds <number>', 'how long each run publishes', '8')
  .option('--rounds <number>', 'how often speed is measured; medians are shown', '3')
  .parse(process.argv.slice(3), { from: 'user' })
  .opts<
    Record<'parts' | 'attempts' | 'case' | 'seconds' | 'rounds' | 'store', string> & {
      folder?: string;
    }
  >();

const parts = options.parts.split(',');
const folder = options.folder ?? join(tmpdir(), `schoolbell-scale-${process.pid}`);
const WARM_UP_SECONDS = 2;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function log(): Promise<void> {
  say('\n| deliveries of one registration | ms p50 | p95 | max |\n| --- | --- | --- | --- |');
  for (const { what, p50, p95, max } of await measureLog(await store()))
    say(`| ${what} | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${max.toFixed(1)} |`);
}

/** The same case on an empty store and on the filled one, in turns. */
async function speed(): Promise<void> {
  const { folder: dataDir } = await store();
  if (options.store === 'sqlite') return compare({}, { dataDir });
  const filled = await filledDatabase(dataDir, tell);
  try {
    await compare({ postgresNodes: 1 }, { postgresNodes: 1, filled });
  } finally {
    await filled.database.remove();
  }
}

async function compare(
  empty: Partial<MeasureOptions>,
  filled: Partial<MeasureOptions>,
): Promise<void> {
  const runs: Record<'empty' | 'filled', Run[]> = { empty: [], filled: [] };
  for (let round = 0; round < Number(options.rounds); round += 1) {
    runs.empty.push(await measure(caseOf(), { ...timing(), ...empty }));
    runs.filled.push(await measure(caseOf(), { ...timing(), ...filled }));
  }
  say(HEADER);
  say(row('an empty store', runs.empty));
  say(row('the filled store', runs.filled));
}

/** The same while old rows are removed. */
async function retention(): Promise<void> {
  const { folder: dataDir } = await store();
  const flags = ['--retention', `${OLDEST_DAYS - 7}d`];
  const before = oldestEvent(dataDir);
  const from = performance.now();
  const runs = [await measure(caseOf(), { ...timing(), dataDir, flags })];
  const seconds = (performance.now() - from) / 1000;
  const removed = oldestEvent(dataDir) - before;
  say(HEADER);
  say(row(`the filled store, ${Math.round(removed / seconds)} old events removed a second`, runs));
}

/** Events lie in order of their acceptance, and the oldest go first. */
function oldestEvent(dataDir: string): number {
  const database = new DatabaseSync(join(dataDir, 'schoolbell.db'), { readOnly: true });
  const found = database.prepare('select min(seq) as seq from events').get();
  database.close();
  return Number(found?.['seq'] ?? 0);
}

function matching(): void {
  say('\n| registrations of the tenant | µs to match an event |\n| --- | --- |');
  for (const count of [100, 10_000, 100_000]) {
    const { registrations, micros } = measureMatching(count);
    say(`| ${registrations.toLocaleString('en')} | ${micros.toFixed(2)} |`);
  }
}

async function backlog(): Promise<void> {
  say('\n| pending | ready after, ms | RSS, MB |\n| --- | --- | --- |');
  for (const count of [1000, 1_000_000]) {
    const { pending, readyMs, rssMb } = await measureBacklog(count);
    say(`| ${pending.toLocaleString('en')} | ${readyMs.toFixed(0)} | ${rssMb.toFixed(0)} |`);
  }
}

function store(): ReturnType<typeof filledStore> {
  return filledStore(folder, Number(options.attempts), tell);
}

function tell(text: string): void {
  process.stderr.write(`  ${text}\n`);
}

function caseOf(): Case {
  const found = CASES.find(({ name }) => name === options.case);
  if (found === undefined) throw new Error(`there is no case '${options.case}'`);
  return found;
}

function timing(): { warmUpSeconds: number; seconds: number; nodeFlags: readonly string[] } {
  return { warmUpSeconds: WARM_UP_SECONDS, seconds: Number(options.seconds), nodeFlags: [] };
}

const HEADER = `
| ${options.case} on | deliveries/s | CPU µs | RSS MB | answer ms p50 / p99 | lost | repeated |
| --- | --- | --- | --- | --- | --- | --- |`;

function row(name: string, runs: readonly Run[]): string {
  const of = (value: (run: Run) => number): number =>
    runs.map(value).toSorted((a, b) => a - b)[Math.floor(runs.length / 2)] ?? 0;
  const cells = [
    name,
    Math.round(of((run) => run.deliveriesPerSecond)).toLocaleString('en'),
    of((run) => run.cpuMicros).toFixed(0),
    of((run) => run.rssMb).toFixed(0),
    `${of((run) => run.answerMs[0] ?? 0).toFixed(1)} / ${of((run) => run.answerMs[1] ?? 0).toFixed(1)}`,
    of((run) => run.lost),
    of((run) => run.repeated),
  ];
  return `| ${cells.join(' | ')} |`;
}

try {
  if (parts.includes('log')) await log();
  if (parts.includes('speed')) await speed();
  if (parts.includes('retention')) await retention();
  if (parts.includes('matching')) matching();
  if (parts.includes('backlog')) await backlog();
} finally {
  if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
