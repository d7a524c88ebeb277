import type { Delivery } from '../core/delivery.ts';
import { ERASED_REASON } from '../core/erasing.ts';
import { type Outcome, judge } from '../core/outcome.ts';
import { GONE, heldReason, isActive, type Registration } from '../core/registration.ts';
import { retryAfterMs } from '../core/retry-after.ts';
import { nextDueAt, type Schedule } from '../core/schedule.ts';
import type { NextState } from '../store/port.ts';

export type AttemptEnd = {
  readonly delivery: Delivery;
  readonly outcome: Outcome;
  /** The registration as it is now; undefined when it was deleted meanwhile. */
  readonly registration: Registration | undefined;
  /** When the lane's breaker lets the next probe through; null when it is closed. */
  readonly breakerOpenUntil: number | null;
  /** True when this attempt probed an open breaker. */
  readonly wasProbe: boolean;
  readonly schedule: Schedule;
  readonly now: number;
  /** From 0 to 1. */
  readonly random: number;
};

/** Where a delivery goes after an attempt; see `docs/state-machine.md`. */
export function nextState(end: AttemptEnd): NextState {
  const verdict = judge(end.outcome);
  if (verdict === 'delivered') return { state: 'delivered', reason: null };
  if (end.delivery.notifications.length === 0) return { state: 'cancelled', reason: ERASED_REASON };
  if (end.registration === undefined) return { state: 'cancelled', reason: 'registration deleted' };
  if (verdict === 'gone') return { state: 'held', reason: GONE };
  if (!isActive(end.registration)) return { state: 'held', reason: heldReason(end.registration) };
  return retryState(end);
}

function retryState(end: AttemptEnd): NextState {
  if (end.wasProbe && end.breakerOpenUntil !== null) {
    return { state: 'pending', dueAt: end.breakerOpenUntil, step: end.delivery.step };
  }
  const step = end.delivery.step + 1;
  const dueAt = nextDueAt({
    schedule: end.schedule,
    attemptsMade: step,
    now: end.now,
    random: end.random,
    retryAfterMs: retryAfterMs(end.outcome, end.now),
  });
  if (dueAt === undefined) return { state: 'exhausted', reason: 'retry schedule used up' };
  return { state: 'pending', dueAt, step };
}
