import type { Attempt } from './attempt.ts';
import { instant, type Remark, remark } from './explain-text.ts';
import { judge } from './outcome.ts';

/** What is known of a registration around one attempt. */
export type History = {
  /** When the trouble of this attempt began: that of the first of an unbroken run of the same. */
  readonly since: number;
  /** False where the run may have begun before what was looked at. */
  readonly isKnown: boolean;
  /** When a delivery last arrived before that. */
  readonly lastGoodAt: number | null;
  readonly secretChangedAt: number | null;
  readonly registrationChangedAt: number | null;
};

/** When a registration was changed, and whether all of its earlier attempts are at hand. */
export type Facts = Pick<History, 'secretChangedAt' | 'registrationChangedAt'> & {
  readonly isWhole: boolean;
};

/** `others`: further attempts of the same registration, in any order. */
export function historyOf(attempt: Attempt, others: readonly Attempt[], facts: Facts): History {
  const earlier = others
    .filter((other) => other.startedAt < attempt.startedAt)
    .toSorted((a, b) => b.startedAt - a.startedAt);
  const end = earlier.findIndex((other) => !isSameTrouble(other, attempt));
  const run = end === -1 ? earlier : earlier.slice(0, end);
  const lastGood = earlier.find(({ outcome }) => judge(outcome) === 'delivered');
  const { secretChangedAt, registrationChangedAt, isWhole } = facts;
  return {
    since: run.at(-1)?.startedAt ?? attempt.startedAt,
    isKnown: end !== -1 || isWhole,
    lastGoodAt: lastGood?.startedAt ?? null,
    secretChangedAt,
    registrationChangedAt,
  };
}

function isSameTrouble({ outcome: one }: Attempt, { outcome: other }: Attempt): boolean {
  if (one.kind !== other.kind) return false;
  if (one.kind === 'response' && other.kind === 'response') return one.status === other.status;
  if (one.kind === 'timeout' && other.kind === 'timeout') return one.phase === other.phase;
  return 'code' in one && 'code' in other ? one.code === other.code : true;
}

/** Answers that a wrong secret gets. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403]);

/** The remarks with what the history adds to them; to a success it adds nothing. */
export function remarksOf(
  remarks: readonly Remark[],
  attempt: Attempt,
  history: History,
): readonly Remark[] {
  if (judge(attempt.outcome) === 'delivered') return remarks;
  const told = remarks.map((one) => withLastGood(one, history));
  return [...told, ...sinceRemarks(attempt, history)];
}

function withLastGood(one: Remark, { lastGoodAt }: History): Remark {
  if (one.key !== 'dns.no_address' || lastGoodAt === null) return one;
  return remark('dns.gone', { ...one.parameters, last: instant(lastGoodAt) });
}

function sinceRemarks({ outcome, startedAt }: Attempt, history: History): readonly Remark[] {
  const { since, isKnown, secretChangedAt, registrationChangedAt } = history;
  const at = { since: instant(since) };
  const isRefusal = outcome.kind === 'response' && REFUSALS.has(outcome.status);
  if (isRefusal && beganAfter(secretChangedAt, history))
    return [remark('since.secret', { ...at, changed: instant(secretChangedAt) })];
  if (beganAfter(registrationChangedAt, history))
    return [remark('since.registration', { ...at, changed: instant(registrationChangedAt) })];
  if (since === startedAt) return [];
  return [remark(isKnown ? 'since.known' : 'since.or_before', at)];
}

/** A delivery arrived before the change, and none between it and the trouble. */
function beganAfter(
  changedAt: number | null,
  { since, isKnown, lastGoodAt }: History,
): changedAt is number {
  if (changedAt === null || lastGoodAt === null || !isKnown) return false;
  return lastGoodAt <= changedAt && changedAt <= since;
}
