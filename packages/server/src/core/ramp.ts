import type { Attempt } from './attempt.ts';
import { type Outcome, judge } from './outcome.ts';

/** How many requests may be in flight to one registration: 1 at first, its limit when answers are good and quick. */
export type Ramp = {
  readonly concurrency: number;
  readonly limit: number;
  /** Good answers since the last step up. */
  readonly good: number;
};

/** How many an endpoint that answers well within so long may come to. */
export function mostInFlight(limit: number, durationMs: number): number {
  return durationMs <= QUICK_MS ? limit : Math.min(limit, CALM);
}

/** Begins at 1. */
export function newRamp(limit: number): Ramp {
  return { concurrency: 1, limit, good: 0 };
}

/** What any endpoint may have in flight that answers well, however long it takes for it. */
export const CALM = 8;
/** More than that is for endpoints that answer within this: what takes longer may be taking all it can. */
export const QUICK_MS = 100;

/**
 * Doubles after as many good answers as are allowed in flight; halves on time-outs, 429 and 503.
 * Beyond `CALM` only quick answers count, and one that is not brings it back there.
 */
export function rampAfter(
  ramp: Ramp,
  { outcome, durationMs }: Pick<Attempt, 'outcome' | 'durationMs'>,
): Ramp {
  if (judge(outcome) === 'delivered') {
    if (durationMs <= QUICK_MS || ramp.concurrency < CALM) return stepUp(ramp);
    return ramp.concurrency === CALM ? ramp : { ...ramp, concurrency: CALM, good: 0 };
  }
  if (!isOverload(outcome)) return ramp;
  return { ...ramp, concurrency: Math.max(1, Math.floor(ramp.concurrency / 2)), good: 0 };
}

function stepUp(ramp: Ramp): Ramp {
  if (ramp.concurrency === ramp.limit) return ramp;
  const good = ramp.good + 1;
  if (good < ramp.concurrency) return { ...ramp, good };
  return { ...ramp, concurrency: Math.min(ramp.limit, ramp.concurrency * 2), good: 0 };
}

function isOverload(outcome: Outcome): boolean {
  if (outcome.kind === 'timeout') return true;
  return outcome.kind === 'response' && (outcome.status === 429 || outcome.status === 503);
}
