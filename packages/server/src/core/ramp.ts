import { type Outcome, judge } from './outcome.ts';

/** How many requests may be in flight to one registration: 1 at first, its limit when answers are good. */
export type Ramp = {
  readonly concurrency: number;
  readonly limit: number;
  /** Good answers since the last step up. */
  readonly good: number;
};

/** Begins at 1. */
export function newRamp(limit: number): Ramp {
  return { concurrency: 1, limit, good: 0 };
}

/** Doubles after as many good answers as are allowed in flight; halves on time-outs, 429 and 503. */
export function rampAfter(ramp: Ramp, outcome: Outcome): Ramp {
  if (judge(outcome) === 'delivered') return stepUp(ramp);
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
