import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import type { Store } from '../../packages/server/src/store/port.ts';
import type { PostgresOptions } from '../../packages/server/src/store/postgres/open.ts';
import { openPostgresStore } from '../../packages/server/src/store/postgres/store.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/store.ts';
import { FAN_OUT, SEARCHES, TENANT } from './data.ts';
import { fillStatistics, questions } from './statistics.ts';
import { fillPostgres } from './fill-postgres.ts';
import { fillSqlite } from './fill-sqlite.ts';

const { values: options } = parseArgs({
  options: {
    deliveries: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '40' },
    /** Of the embedded store: kept, and used again by the next run. */
    folder: { type: 'string' },
    /** Fill and index, and no more. */
    fill: { type: 'boolean' },
    /** Statistics in place of searches. */
    statistics: { type: 'boolean' },
    /** A database of PostgreSQL in place of the embedded store: empty, or filled by an earlier run. */
    'database-url': { type: 'string' },
  },
});
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
const path = join(folder, 'search.db');
const url = options['database-url'];

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
  while ((await store.index(paths, 2000)) === 2000);
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
