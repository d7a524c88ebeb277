import type { DeliveryState } from './delivery.ts';
import type { Id } from './id.ts';
import { MANIFEST } from './manifest.ts';
import { MatchIndex } from './match.ts';
import type { Registration } from './registration.ts';

/** What a job makes deliveries of: those that were made before, or events that have none. */
export const JOB_KINDS = ['replay', 'backfill'] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** `running` and `paused` ones have not ended. */
export const JOB_STATES = ['running', 'paused', 'done', 'cancelled'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** States in which a delivery has ended: what has not is coming anyway. */
export const ENDED_STATES = [
  'delivered',
  'exhausted',
  'cancelled',
] as const satisfies readonly DeliveryState[];
export type EndedState = (typeof ENDED_STATES)[number];

/** What a job is about; null where it does not matter. */
export type Selection = {
  /** When a delivery was made (replay) or its event accepted (backfill): from then on, and before that. A backfill has the first. */
  readonly from: number | null;
  readonly to: number | null;
  /** Of a replay only, as all that follow. */
  readonly states: readonly EndedState[] | null;
  /** One of its notifications is of one of these, in lower case. */
  readonly filters: readonly string[] | null;
  /** Forgotten when the job ends. */
  readonly subject: string | null;
  /** Only these, in order of their ids. */
  readonly deliveries: readonly Id[] | null;
};

/** Sends again, or for the first time, what lies in the past: durable, in steps, one registration's. */
export type Job = {
  readonly id: Id;
  readonly tenant: string;
  readonly registrationId: Id;
  readonly kind: JobKind;
  readonly state: JobState;
  /** Why it is in that state, where the state alone does not say. */
  readonly reason: string | null;
  readonly selection: Selection;
  /** Deliveries made in a second at most. */
  readonly rate: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** How many it was about when it was made; null where that is not known. */
  readonly total: JobTotal | null;
  /** Deliveries made. */
  readonly done: number;
  /** The id of the delivery or event it has come to; null at its beginning. */
  readonly cursor: Id | null;
};

/** Not exact when there were more. */
export type JobTotal = { readonly count: number; readonly isExact: boolean };

/** What it may be changed to by people, and from which states. */
export const JOB_CHANGES = {
  pause: { from: ['running'], to: 'paused' },
  resume: { from: ['paused'], to: 'running' },
  cancel: { from: ['running', 'paused'], to: 'cancelled' },
} as const satisfies Readonly<
  Record<string, { readonly from: readonly JobState[]; readonly to: JobState }>
>;
export type JobChange = keyof typeof JOB_CHANGES;

/** Unfinished jobs that a tenant has at most. */
export const MAX_UNFINISHED_JOBS = 10;
/** Deliveries that a replay names at most. */
export const MAX_CHOSEN = 1000;
export const DEFAULT_RATE = 50;
export const MAX_RATE = 500;

/** What an event holds for a job, and what an earlier delivery carried of it. */
type Found = {
  readonly actions: readonly string[];
  readonly notifications: readonly string[];
  readonly picks: readonly number[] | null;
};

/**
 * Which notifications a job's delivery carries; undefined where it makes none. A replay carries what
 * was carried before; a backfill what the registration, as it is now, would be sent.
 */
export function picksFor(
  kind: JobKind,
  registration: Registration,
): (found: Found) => readonly number[] | null | undefined {
  if (kind === 'replay') return ({ picks }) => picks;
  const index = new MatchIndex();
  index.add(registration);
  const matched = (actions: readonly string[], texts: readonly string[]) =>
    index.match(registration.tenant, actions, texts)[0]?.picks;
  return ({ actions, notifications, picks: left }) => {
    // It may be about another registration, and tells nothing new about this one.
    if (actions[0] === MANIFEST) return undefined;
    if (left === null) return matched(actions, notifications);
    const of = (all: readonly string[]): string[] => left.map((pick) => all[pick] ?? '');
    const found = matched(of(actions), of(notifications));
    return found === undefined ? undefined : left.filter((_, at) => found?.includes(at) ?? true);
  };
}
