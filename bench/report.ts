import { CASES, SERVER_FLAGS, type StoreName } from './cases.ts';
import type { Run } from './measure.ts';
import type { RawResult } from './raw.ts';

/** A run of a case, and the raw limit measured before and after it. */
export type RatedRun = Run & { readonly rawBefore: RawResult; readonly rawAfter: RawResult };

export type CaseReport = {
  readonly case: string;
  readonly goal: number | undefined;
  /** Of each run: deliveries a second by the mean of the raw limits around it. */
  readonly ratios: readonly number[];
  readonly ratio: number;
  /** The server's CPU time of a delivery by the raw limit's of a post: what a ratio can be at best. */
  readonly cpuInPosts: number;
  /** Medians over the runs. */
  readonly median: Run;
  readonly runs: readonly RatedRun[];
};

export type Report = {
  readonly store: StoreName;
  /** On PostgreSQL. */
  readonly nodes: number;
  readonly serverFlags: readonly string[];
  readonly raw: { readonly rates: readonly number[]; readonly rate: number };
  readonly cases: readonly CaseReport[];
};

/** Medians of what was measured, beside all of it. */
export function reportOf(
  runs: ReadonlyMap<string, readonly RatedRun[]>,
  { store, nodes }: Pick<Report, 'store' | 'nodes'>,
): Report {
  const all = [...runs.values()].flat();
  const rates = all.flatMap(({ rawBefore, rawAfter }) => [rawBefore.rate, rawAfter.rate]);
  const cases = [...runs].map(([name, of]) => caseReport(name, of, store));
  return { store, nodes, serverFlags: SERVER_FLAGS, raw: { rates, rate: median(rates) }, cases };
}

function caseReport(name: string, runs: readonly RatedRun[], store: StoreName): CaseReport {
  const ratios = runs.map(
    ({ deliveriesPerSecond, rawBefore, rawAfter }) =>
      deliveriesPerSecond / ((rawBefore.rate + rawAfter.rate) / 2),
  );
  const cpu = runs.map(
    ({ cpuMicros, rawBefore, rawAfter }) =>
      cpuMicros / ((rawBefore.cpuMicrosPerPost + rawAfter.cpuMicrosPerPost) / 2),
  );
  return {
    case: name,
    goal: CASES.find((each) => each.name === name)?.goals[store],
    ratios,
    ratio: median(ratios),
    cpuInPosts: median(cpu),
    median: medianRun(runs),
    runs,
  };
}

function medianRun(runs: readonly Run[]): Run {
  const of = (value: (run: Run) => number): number => median(runs.map(value));
  const three = (values: (run: Run) => readonly number[]): readonly number[] =>
    [0, 1, 2].map((index) => of((run) => values(run)[index] ?? 0));
  return {
    deliveriesPerSecond: of((run) => run.deliveriesPerSecond),
    cpuMicros: of((run) => run.cpuMicros),
    receiverCpuMicros: of((run) => run.receiverCpuMicros),
    generatorCpuMicros: of((run) => run.generatorCpuMicros),
    rssMb: of((run) => run.rssMb),
    latencyMs: three((run) => run.latencyMs),
    answerMs: three((run) => run.answerMs),
    database: {
      statements: of((run) => run.database.statements),
      statementMicros: of((run) => run.database.statementMicros),
      cpuMicros: of((run) => run.database.cpuMicros),
    },
    loopDelayMs: of((run) => run.loopDelayMs),
    refused: of((run) => run.refused),
    lost: Math.max(...runs.map((run) => run.lost)),
    repeated: Math.max(...runs.map((run) => run.repeated)),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

const HEADER = [
  'case',
  'deliveries/s',
  'ratio to raw',
  'CPU a delivery, µs (raw posts)',
  'RSS MB',
  'publish to receipt ms p50 / p99 / p99.9',
  'answer ms p50 / p99 / p99.9',
  'loop delay ms p99',
  'lost',
  'repeated',
];
const DATABASE_HEADER = [
  'statements a delivery',
  'database time a delivery, µs',
  'database CPU a delivery, µs',
];

/** As Markdown. */
export function table({ raw, cases, serverFlags, store, nodes }: Report): string {
  const rounds = cases[0]?.runs.length ?? 0;
  const isPostgres = store === 'postgres';
  const header = isPostgres ? [...HEADER, ...DATABASE_HEADER] : HEADER;
  const rows = cases.map((each) =>
    isPostgres ? [...cells(each), ...databaseCells(each)] : cells(each),
  );
  const lines = [header, header.map(() => '---'), ...rows];
  const place = isPostgres ? `${nodes} on PostgreSQL` : 'on the embedded store';
  return [
    `Raw limit: ${whole(raw.rate)} signed posts a second (median of ${raw.rates.length}, from ${whole(Math.min(...raw.rates))} to ${whole(Math.max(...raw.rates))}).`,
    `Server: schoolbell serve ${serverFlags.join(' ') || 'with its defaults'}, ${place}. Rounds: ${rounds}; medians.`,
    '',
    ...lines.map((line) => `| ${line.join(' | ')} |`),
  ].join('\n');
}

function cells(report: CaseReport): string[] {
  const { case: name, goal, ratio, ratios, cpuInPosts, median: run } = report;
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  return [
    CASES.find((each) => each.name === name)?.about ?? name,
    whole(run.deliveriesPerSecond),
    goal === undefined ? '' : `${ratio.toFixed(2)} (${spread}; goal ${goal.toFixed(2)})`,
    `${run.cpuMicros.toFixed(0)} (${cpuInPosts.toFixed(1)})`,
    run.rssMb.toFixed(0),
    run.latencyMs.map((ms) => ms.toFixed(1)).join(' / '),
    run.answerMs.map((ms) => ms.toFixed(1)).join(' / '),
    run.loopDelayMs.toFixed(0),
    String(run.lost),
    String(run.repeated),
  ];
}

function databaseCells({ median: { database } }: CaseReport): string[] {
  const { statements, statementMicros, cpuMicros } = database;
  return [statements.toFixed(3), statementMicros.toFixed(0), cpuMicros.toFixed(0)];
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}
