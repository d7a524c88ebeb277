import type { Receipt } from './recorder.ts';

/** What was acknowledged to publishers, and what the recorder saw, in the order it saw it. */
export type Evidence = {
  readonly receipts: readonly Receipt[];
  /** SHA-256 of each acknowledged notification's text, by its number. */
  readonly hashes: ReadonlyMap<number, string>;
  readonly registrations: readonly string[];
  readonly duplicatesAllowed: number;
};

export type Verdict = {
  readonly lost: number;
  readonly duplicates: number;
  readonly problems: readonly string[];
};

const MAX_PROBLEMS = 20;

/** Holds what arrived against what was acknowledged. No problems: every oracle held. */
export function judge(evidence: Evidence): Verdict {
  const { hashes, registrations, duplicatesAllowed } = evidence;
  const pairs = Map.groupBy(evidence.receipts, ({ n, registration }) => pairOf(n, registration));
  const problems = [...pairs].flatMap(([pair, receipts]) => problemsOf(pair, receipts, hashes));
  const taken = new Map([...pairs].map(([pair, receipts]) => [pair, timesTaken(receipts)]));

  const due = [...hashes.keys()].flatMap((n) => registrations.map((each) => pairOf(n, each)));
  const lost = due.filter((pair) => (taken.get(pair) ?? 0) === 0).length;
  if (lost > 0) problems.push(`${lost} acknowledged deliveries did not arrive`);

  const duplicates = [...taken.values()].reduce((sum, times) => sum + Math.max(0, times - 1), 0);
  if (duplicates > duplicatesAllowed)
    problems.push(`${duplicates} duplicates, at most ${duplicatesAllowed} may be`);
  return { lost, duplicates, problems: problems.slice(0, MAX_PROBLEMS) };
}

function pairOf(n: number, registration: string): string {
  return `${n} ${registration}`;
}

/** How often the receiver said that it has it. */
function timesTaken(receipts: readonly Receipt[]): number {
  return receipts.filter(({ status }) => status < 300).length;
}

function problemsOf(
  pair: string,
  receipts: readonly Receipt[],
  hashes: ReadonlyMap<number, string>,
): string[] {
  const problems: string[] = [];
  const hash = hashes.get(receipts[0]?.n ?? -1);
  if (receipts.some(({ verified }) => !verified))
    problems.push(`a signature of ${pair} does not verify`);
  if (hash !== undefined && receipts.some((receipt) => receipt.hash !== hash))
    problems.push(`the bytes of ${pair} changed`);
  if (new Set(receipts.map(({ id }) => id)).size > 1) problems.push(`${pair} came with two ids`);
  const attempts = receipts.map(({ attempt }) => attempt);
  // The same number again is what a kill may cause: its attempt was not on record.
  if (attempts.some((attempt, index) => attempt < (attempts[index - 1] ?? 1)))
    problems.push(`attempts of ${pair} do not grow: ${attempts.join()}`);
  return problems;
}
