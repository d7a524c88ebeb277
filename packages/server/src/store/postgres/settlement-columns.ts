import type { Settlement } from '../port.ts';
import { stateCode } from '../rows.ts';
import { outcomeColumns } from './outcomes.ts';

/**
 * Tenant, id, number, start, duration, record, state, step, due time, end, reason, class, status and
 * id of the outcome.
 */
export function settlementColumns(part: readonly Settlement[]): unknown[][] {
  const attempts = part.map(({ attempt }) => attempt);
  const next = part.map((settlement) => settlement.next);
  return [
    part.map(({ tenant }) => tenant),
    part.map(({ deliveryId }) => deliveryId),
    attempts.map(({ number }) => number),
    attempts.map(({ startedAt }) => startedAt),
    attempts.map(({ durationMs }) => durationMs),
    attempts.map(({ record }) => record),
    next.map(({ state }) => stateCode(state)),
    next.map((each) => (each.state === 'pending' ? each.step : null)),
    next.map((each) => (each.state === 'pending' ? each.dueAt : null)),
    part.map((each) => endOf(each)),
    next.map((each) => (each.state === 'pending' ? null : each.reason)),
    ...outcomeColumns(part),
  ];
}

function endOf({ attempt, next }: Settlement): number | null {
  if (next.state === 'pending' || next.state === 'held') return null;
  return attempt.startedAt + attempt.durationMs;
}
