import type { Receipt } from './recorder.ts';

/** A row of the delivery log, as the API tells it. */
export type LogRow = {
  readonly Id: string;
  readonly EventId: string;
  /** The path of its registration. */
  readonly registration: string;
  readonly State: string;
  readonly Attempts: number;
};

/** What publishers were told, what the recorder saw, in the order it saw it, and what the log says after. */
export type Evidence = {
  readonly receipts: readonly Receipt[];
  /** SHA-256 of each acknowledged notification's text, by its number. */
  readonly acknowledged: ReadonlyMap<number, string>;
  /** The same of those whose publishers never heard an answer. */
  readonly unknown: ReadonlyMap<number, string>;
  /** Paths of the registrations that get every event. */
  readonly registrations: readonly string[];
  readonly log: readonly LogRow[];
  /** How many may have been in flight when servers were killed, over all kills. */
  readonly inFlightAtKills: number;
  /** The same of those among them that went on later, when others had made the next attempts already. */
  readonly inFlightAtFreezes: number;
};

export type Verdict = {
  readonly lost: number;
  readonly duplicates: number;
  readonly problems: readonly string[];
};

const MAX_PROBLEMS = 20;
const ENDED = new Set(['delivered', 'exhausted', 'cancelled']);

/** Holds what arrived against what was acknowledged. No problems: every oracle held. */
export function judge(evidence: Evidence): Verdict {
  const pairs = Map.groupBy(evidence.receipts, ({ n, registration }) => pairOf(n, registration));
  const taken = new Map([...pairs].map(([pair, receipts]) => [pair, timesTaken(receipts)]));
  const problems = [...pairs].flatMap(([pair, receipts]) => problemsOf(pair, receipts, evidence));
  problems.push(...shrinking(pairs, evidence));
  problems.push(...strays(evidence), ...torn(evidence, taken), ...logProblems(evidence));

  const due = [...evidence.acknowledged.keys()].flatMap((n) =>
    evidence.registrations.map((each) => pairOf(n, each)),
  );
  const lost = due.filter((pair) => (taken.get(pair) ?? 0) === 0).length;
  if (lost > 0) problems.push(`${lost} acknowledged deliveries did not arrive`);

  const duplicates = [...taken.values()].reduce((sum, times) => sum + Math.max(0, times - 1), 0);
  if (duplicates > evidence.inFlightAtKills)
    problems.push(`${duplicates} duplicates, at most ${evidence.inFlightAtKills} may be`);
  return { lost, duplicates, problems: problems.slice(0, MAX_PROBLEMS) };
}

function pairOf(n: number, registration: string): string {
  return `${n} ${registration}`;
}

/** How often the receiver said that it has it. */
function timesTaken(receipts: readonly Receipt[]): number {
  return receipts.filter(({ status }) => status < 300).length;
}

/** Integrity: the bytes, the signature, one id, attempts that grow. */
function problemsOf(pair: string, receipts: readonly Receipt[], evidence: Evidence): string[] {
  const { acknowledged, unknown, inFlightAtKills } = evidence;
  const problems: string[] = [];
  const n = receipts[0]?.n ?? -1;
  const hash = acknowledged.get(n) ?? unknown.get(n);
  if (receipts.some(({ verified }) => !verified))
    problems.push(`a signature of ${pair} does not verify`);
  if (hash === undefined) problems.push(`${pair} was never published`);
  else if (receipts.some((receipt) => receipt.hash !== hash))
    problems.push(`the bytes of ${pair} changed`);
  if (new Set(receipts.map(({ id }) => id)).size > 1) problems.push(`${pair} came with two ids`);
  // The same number again is what a kill may cause: its attempt was not on record.
  if (inFlightAtKills === 0 && growthsOf(receipts).includes(0))
    problems.push(notGrowing(pair, receipts));
  return problems;
}

/** A number goes back only where a node goes on that stood still meanwhile. */
function shrinking(
  pairs: ReadonlyMap<string, readonly Receipt[]>,
  { inFlightAtFreezes }: Evidence,
): string[] {
  const shrunk = [...pairs].filter(([, receipts]) => growthsOf(receipts).some((by) => by < 0));
  if (shrunk.length <= inFlightAtFreezes) return [];
  return shrunk.map(([pair, receipts]) => notGrowing(pair, receipts));
}

/** From each attempt to the next. */
function growthsOf(receipts: readonly Receipt[]): number[] {
  return receipts
    .slice(1)
    .map(({ attempt }, index) => attempt - (receipts[index]?.attempt ?? attempt));
}

function notGrowing(pair: string, receipts: readonly Receipt[]): string {
  return `attempts of ${pair} do not grow: ${receipts.map(({ attempt }) => attempt).join()}`;
}

/** Isolation: nothing comes to a registration that does not match, is paused, deleted or another tenant's. */
function strays({ receipts, registrations }: Evidence): string[] {
  const wanted = new Set(registrations);
  const paths = receipts.flatMap(({ registration }) =>
    wanted.has(registration) ? [] : [registration],
  );
  return [...new Set(paths)].map((path) => `something came to ${path}, which is to get nothing`);
}

/** Atomic fan-out: what nobody was told of came to all or to none. */
function torn({ unknown, registrations }: Evidence, taken: ReadonlyMap<string, number>): string[] {
  return [...unknown.keys()].flatMap((n) => {
    const reached = registrations.filter((each) => (taken.get(pairOf(n, each)) ?? 0) > 0).length;
    if (reached === 0 || reached === registrations.length) return [];
    return [`${n}, of which nobody was told, reached ${reached} of ${registrations.length}`];
  });
}

/**
 * The log knows every delivery that came once, in an end state, with every attempt but those in
 * flight at a kill; each event is there once.
 */
function logProblems({ log, receipts, registrations, inFlightAtKills }: Evidence): string[] {
  const problems: string[] = [];
  const wanted = new Set(registrations);
  const rows = new Map(
    log.filter(({ registration }) => wanted.has(registration)).map((row) => [row.Id, row]),
  );
  const open = [...rows.values()].filter(({ State }) => !ENDED.has(State)).length;
  if (open > 0) problems.push(`${open} deliveries are in no end state`);
  let unrecorded = 0;
  for (const [id, received] of Map.groupBy(receipts, (receipt) => receipt.id)) {
    const row = rows.get(id);
    if (row === undefined) problems.push(`the log does not know ${id}, which came`);
    else unrecorded += Math.max(0, received.length - row.Attempts);
  }
  if (unrecorded > inFlightAtKills)
    problems.push(`${unrecorded} attempts are not in the log, at most ${inFlightAtKills} may be`);
  return [...problems, ...eventProblems([...rows.values()], receipts)];
}

/** One event for each number, whatever its publisher repeated. */
function eventProblems(rows: readonly LogRow[], receipts: readonly Receipt[]): string[] {
  const eventOf = new Map(rows.map(({ Id, EventId }) => [Id, EventId]));
  return [...Map.groupBy(receipts, ({ n }) => n)].flatMap(([n, received]) => {
    const events = new Set(received.map(({ id }) => eventOf.get(id) ?? id));
    return events.size > 1 ? [`${n} became ${events.size} events`] : [];
  });
}
