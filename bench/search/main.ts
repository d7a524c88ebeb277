import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import type { Store } from '../../packages/server/src/store/port.ts';
import type { PostgresOptions } from '../../packages/server/src/store/postgres/open.ts';
import { openPostgresStore } from '../../packages/server/src/store/postgres/store.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/store.ts';
import { FAN_OUT, SEARCHES, TENANT } from './data.ts';
import { fillStatistics, questions } from './statistics.ts';
import { fillPostgres } from './fill-postgres.ts';
import { fillSqlite } from './fill-sqlite.ts';

const options = new Command('search')
  .description('Measures searches, or statistics, in a store with many deliveries.')
  .option('--deliveries <number>', 'deliveries in the store', '1000000')
  .option('--runs <number>', 'how often each is measured', '120')
  .option(
    '--folder <folder>',
    'keeps the embedded store there for the next run; a folder that is removed where absent',
  )
  .option(
    '--database-url <url>',
    'a PostgreSQL database in place of the embedded store: empty, or filled by an earlier run',
  )
  .option('--fill', 'fill and index, and measure nothing')
  .option('--statistics', 'measure statistics in place of searches')
  .parse(process.argv.slice(3), { from: 'user' })
  .opts<{
    deliveries: string;
    runs: string;
    folder?: string;
    databaseUrl?: string;
    fill?: true;
    statistics?: true;
  }>();
const DELIVERIES = Number(options.deliveries);
const RUNS = Number(options.runs);
const paths = Object.fromEntries(
  BUILTIN_FILTERS.map(({ name, subjects }) => [name.toLowerCase(), subjects]),
);

async function time(run: () => Promise<unknown>): Promise<string> {
  const taken: number[] = [];
  for (let n = 0; n < RUNS; n += 1) {
    const startedAt = performance.now();
    await run();
    taken.push(performance.now() - startedAt);
  }
  taken.sort((a, b) => a - b);
  const at = (share: number): string =>
    (taken[Math.min(taken.length - 1, Math.floor(taken.length * share))] ?? 0).toFixed(1);
  return `${at(0.5)} / ${at(0.95)}`;
}

async function measureStatistics(store: Store): Promise<void> {
  const startedAt = performance.now();
  const count = await fillStatistics(store);
  print(`${count.toLocaleString('en')} sums added in ${seconds(startedAt)}\n`);
  print('| statistics | ms p50 / p95 |');
  print('| --- | --- |');
  for (const [about, ask] of questions(store)) print(`| ${about} | ${await time(ask)} |`);
}

async function measure(store: Store): Promise<void> {
  print('| search | page of 50, ms p50 / p95 | events, page of 50 | count |');
  print('| --- | --- | --- | --- |');
  for (const { about, query } of SEARCHES) {
    const asked = () => ({ tenant: TENANT, limit: 51, ...query() });
    const deliveries = await time(() => store.deliveries(asked()));
    const events = await time(() => store.events(asked()));
    const counts = await time(() => store.countDeliveries(asked()));
    print(`| ${about} | ${deliveries} | ${events} | ${counts} |`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'schoolbell-search-'));
mkdirSync(folder, { recursive: true });
const path = join(folder, 'search.db');
const url = options.databaseUrl;

async function openPostgres(databaseUrl: string): Promise<Store> {
  const asked: PostgresOptions = {
    url: databaseUrl,
    listenUrl: null,
    poolSize: 4,
    statementTimeoutMs: 60_000,
    pooled: false,
    allowUnsafe: true,
  };
  const store = await openPostgresStore(asked);
  const isEmpty = (await store.events({ tenant: TENANT, limit: 1 })).length === 0;
  if (isEmpty) await fillPostgres(asked, DELIVERIES);
  return store;
}

async function openSqlite(): Promise<Store> {
  if (!existsSync(path)) {
    await (await openSqliteStore({ path })).close();
    fillSqlite(path, DELIVERIES);
  }
  return openSqliteStore({ path });
}

async function run(): Promise<void> {
  let startedAt = performance.now();
  const store = url === undefined ? await openSqlite() : await openPostgres(url);
  print(`filled in ${seconds(startedAt)}`);
  if (options.statistics === true) {
    await measureStatistics(store);
    await store.close();
    return;
  }
  startedAt = performance.now();
  while ((await store.index(paths, 2000)) >= 2000);
  const perEvent = ((performance.now() - startedAt) * 1000) / (DELIVERIES / FAN_OUT);
  print(`indexed in ${seconds(startedAt)}: ${perEvent.toFixed(0)} µs an event`);
  print(`${DELIVERIES.toLocaleString('en')} deliveries\n`);
  if (options.fill !== true) await measure(store);
  await store.close();
}

try {
  await run();
} finally {
  if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
