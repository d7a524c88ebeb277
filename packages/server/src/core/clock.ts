/** Where every rule gets the time from, in milliseconds since 1970, so that tests can set it. */
export type Clock = { readonly now: () => number };

/** The machine's own clock, which people and programs may set. */
export const systemClock: Clock = { now: () => Date.now() };

const DAY_MS = 86_400_000;
/** Up to this difference the machine's clock is taken as it is. */
const STEP_MS = 2000;

/**
 * A clock that is never set, for what is due: when the machine's clock jumps, by hours even, it
 * goes twice as fast or half as fast until it is right again. So a wait is never cut short to
 * nothing or made endless. A jump of more than a day forward is believed: such a clock was wrong
 * before. `steady` counts milliseconds from anywhere and is never set.
 */
export function smoothClock(wall: Clock, steady: () => number): Clock {
  let time = wall.now();
  let at = steady();
  function now(): number {
    const elapsed = steady() - at;
    at += elapsed;
    const behind = wall.now() - (time + elapsed);
    if (behind > DAY_MS || Math.abs(behind) <= STEP_MS)
      time = Math.max(time, time + elapsed + behind);
    else time += elapsed + Math.max(-elapsed / 2, Math.min(elapsed, behind));
    return Math.floor(time);
  }
  return { now };
}

/** The time by which deliveries fall due, the same for all of a process. */
export const dueClock: Clock = smoothClock(systemClock, () => performance.now());
