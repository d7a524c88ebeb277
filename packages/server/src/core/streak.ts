/** Failures of a registration's endpoint since it last took a delivery, or since its holder last changed it. */
export type Streak = {
  readonly failures: number;
  /** When the first of them was. */
  readonly since: number;
  /** The last part of the way to being switched off that was told of; 0 for none. */
  readonly told: ToldAt | 0;
  /** True when it was switched off, and has not taken a delivery since. */
  readonly wasOff: boolean;
};

/** An endpoint that failed for so long, and so often, is switched off. */
export type SwitchOffRule = { readonly afterMs: number; readonly failures: number };

/** The parts of the way, in percent, at which those who can mend it are told. */
export const TOLD_AT = [50, 70, 90] as const;
export type ToldAt = (typeof TOLD_AT)[number];

/** The streak after one more failure. */
export function streakAfter(before: Streak | undefined, now: number): Streak {
  if (before === undefined) return { failures: 1, since: now, told: 0, wasOff: false };
  if (before.failures === 0) return { ...before, failures: 1, since: now };
  return { ...before, failures: before.failures + 1 };
}

/** Begins again, as after a change by its holder or after it was switched off. */
export function begunAgain(wasOff: boolean, now: number): Streak {
  return { failures: 0, since: now, told: 0, wasOff };
}

/** How much of the way to being switched off is gone, in percent: time and failures must both be there. */
export function percentOfWay(
  { failures, since }: Streak,
  rule: SwitchOffRule,
  now: number,
): number {
  const part = Math.min((now - since) / rule.afterMs, failures / rule.failures);
  return Math.max(0, Math.min(100, 100 * part));
}

/** The highest part of the way that was reached and not told of yet; 100 is its end. */
export function partToTell(
  streak: Streak,
  rule: SwitchOffRule,
  now: number,
): ToldAt | 100 | undefined {
  const percent = percentOfWay(streak, rule, now);
  if (percent >= 100) return 100;
  const reached = TOLD_AT.findLast((part) => percent >= part) ?? 0;
  return reached > streak.told && reached !== 0 ? reached : undefined;
}
