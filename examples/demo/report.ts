/** What the demo saw. Times are in milliseconds from the publish call to the receipt. */
export type Outcome = {
  readonly published: number;
  readonly received: number;
  readonly unverified: number;
  readonly duplicates: number;
  readonly lost: number;
  readonly latencies: readonly number[];
  readonly seconds: number;
  /** Nodes that were killed meanwhile. */
  readonly killed: number;
};

/** True when every event arrived, verified, and none twice but for what a killed node had in flight. */
export function isGood({ unverified, duplicates, lost, killed }: Outcome): boolean {
  return unverified === 0 && lost === 0 && (duplicates === 0 || killed > 0);
}

/** The outcome in a sentence. */
export function verdictOf(outcome: Outcome): string {
  if (!isGood(outcome)) return 'Not every event arrived once and verified.';
  if (outcome.killed === 0) return 'Every event arrived once and verified.';
  const repeated = `${number(outcome.duplicates)} that it had in flight came twice, with the same id.`;
  return `Every event arrived and verified, although the node that sent them was killed halfway; ${repeated}`;
}

/** The short report at the end. */
export function reportText(outcome: Outcome): string {
  const rows: [string, string][] = [
    ['Events published', number(outcome.published)],
    ['Deliveries received', number(outcome.received)],
    [
      'Signatures verified',
      `${number(outcome.received)} of ${number(outcome.received + outcome.unverified)}`,
    ],
    ['Duplicates', number(outcome.duplicates)],
    ['Lost', number(outcome.lost)],
    [
      'Publish to receipt',
      `median ${ms(percentile(outcome.latencies, 0.5))}, p99 ${ms(percentile(outcome.latencies, 0.99))}`,
    ],
    [
      'Rate',
      `${number(Math.round(outcome.published / outcome.seconds))} events a second, each durable before its answer`,
    ],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(20)} ${value}`).join('\n');
}

/** The value below which the given share lies; 0 for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

const BAR = 48;
/** Weeks at the end that hold less than this share of the fullest week are told as one. */
const TAIL = 0.02;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar for each week, days counted from the start of the courses. */
export function weekChart(days: readonly number[]): string {
  const weeks = new Map<number, number>();
  for (const day of days) weeks.set(Math.floor(day / 7), (weeks.get(Math.floor(day / 7)) ?? 0) + 1);
  const first = Math.min(...weeks.keys());
  const most = Math.max(...weeks.values());
  const lines: string[] = [];
  let left = days.length;
  for (let week = first; left > most * TAIL; week += 1) {
    const count = weeks.get(week) ?? 0;
    left -= count;
    lines.push(line(weekName(week), count, most));
  }
  return [...lines, ...(left > 0 ? [line('later', left, most)] : [])].join('\n');
}

function line(name: string, count: number, most: number): string {
  return `  ${name.padStart(9)} ${bar(count / most).padEnd(BAR)} ${number(count)}`;
}

function weekName(week: number): string {
  return week < 0 ? `${-week} before` : `week ${week + 1}`;
}

function bar(share: number): string {
  const eighths = Math.round(share * BAR * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}
