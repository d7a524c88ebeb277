/**
 * A lane's circuit breaker. Open, it lets one probe at a time through from `until` on; how long it
 * stays open doubles with each probe that fails.
 */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly until: number; readonly openForMs: number };

export const CLOSED_BREAKER: Breaker = { state: 'closed', failures: 0 };

/** Failures in a row that open it. */
export const FAILURES_TO_OPEN = 10;
const FIRST_OPEN_MS = 5000;
const LONGEST_OPEN_MS = 600_000;
const JITTER = 0.2;

/** True when a request may be sent now: always when closed, one probe at a time when open. */
export function mayTry(
  breaker: Breaker,
  at: { readonly now: number; readonly inFlight: number },
): boolean {
  return breaker.state === 'closed' || (at.now >= breaker.until && at.inFlight === 0);
}

/** The breaker after an attempt; `random` from 0 to 1 spreads the probes of many lanes. */
export function breakerAfter(
  breaker: Breaker,
  attempt: { readonly ok: boolean; readonly now: number; readonly random: number },
): Breaker {
  if (attempt.ok) return CLOSED_BREAKER;
  if (breaker.state === 'open') return reopen(breaker, attempt);
  const failures = breaker.failures + 1;
  if (failures < FAILURES_TO_OPEN) return { state: 'closed', failures };
  return open(FIRST_OPEN_MS, attempt);
}

/** Attempts that were in flight when it opened come back before `until` and say nothing new. */
function reopen(
  breaker: Extract<Breaker, { state: 'open' }>,
  attempt: { readonly now: number; readonly random: number },
): Breaker {
  if (attempt.now < breaker.until) return breaker;
  return open(Math.min(breaker.openForMs * 2, LONGEST_OPEN_MS), attempt);
}

function open(
  openForMs: number,
  { now, random }: { readonly now: number; readonly random: number },
): Breaker {
  const jittered = openForMs * (1 - JITTER + 2 * JITTER * random);
  return { state: 'open', until: now + Math.round(jittered), openForMs };
}
