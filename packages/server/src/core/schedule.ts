import { parseDuration } from './duration.ts';

/** Waits in milliseconds before each attempt, the first included. */
export type Schedule = readonly number[];

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** 0, 5 s, 1 min, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: about 3.2 days. */
export const STANDARD_SCHEDULE: Schedule = [
  0,
  5 * SECOND,
  MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/** Microsoft's own: at once, after 1 minute, after 4 more. */
export const ASPNET_SCHEDULE: Schedule = [0, MINUTE, 4 * MINUTE];

const MAX_ATTEMPTS = 50;
const JITTER = 0.2;
const RETRY_AFTER_LIMIT_MS = HOUR;

/** Reads `standard`, `aspnet` or waits such as `0s,5s,1m`. Throws RangeError for anything else. */
export function parseSchedule(text: string): Schedule {
  if (text === 'standard') return STANDARD_SCHEDULE;
  if (text === 'aspnet') return ASPNET_SCHEDULE;
  const waits = text.split(',').map((wait) => parseDuration(wait));
  const schedule = waits.filter((wait) => wait !== undefined);
  if (schedule.length !== waits.length || schedule.length > MAX_ATTEMPTS) {
    throw new RangeError(`not a schedule: ${text}`);
  }
  return schedule;
}

export type NextAttempt = {
  readonly schedule: Schedule;
  /** Steps of the schedule that are used up, at least 1. */
  readonly attemptsMade: number;
  readonly now: number;
  /** From 0 to 1. */
  readonly random: number;
  /** What the receiver asked for; null when it asked for nothing. */
  readonly retryAfterMs: number | null;
};

/**
 * When to try again: the schedule's wait with up to 20 % more or less, or later where the receiver
 * asked for it, up to an hour. Undefined when the schedule is used up.
 */
export function nextDueAt(next: NextAttempt): number | undefined {
  const wait = next.schedule[next.attemptsMade];
  if (wait === undefined) return undefined;
  const jittered = wait * (1 - JITTER + 2 * JITTER * next.random);
  const asked = Math.min(next.retryAfterMs ?? 0, RETRY_AFTER_LIMIT_MS);
  return next.now + Math.round(Math.max(jittered, asked));
}
