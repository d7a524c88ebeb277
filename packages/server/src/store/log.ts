import type { DeliveryState } from '../core/delivery.ts';
import type { Id } from '../core/id.ts';

/** A delivery sent again by hand has ever more attempts, and each may hold 64 KiB of an answer. */
export const ATTEMPTS_SHOWN = 100;

/** A row of the delivery log. */
export type DeliveryRow = {
  readonly id: Id;
  readonly tenant: string;
  readonly eventId: Id;
  readonly registrationId: Id;
  readonly state: DeliveryState;
  readonly reason: string | null;
  /** Its number within its registration; null where it has none. */
  readonly sequence: number | null;
  readonly attempts: number;
  readonly createdAt: number;
  /** When it is due; null unless it is pending and not behind others. */
  readonly dueAt: number | null;
  readonly endedAt: number | null;
  /** Actions of the notifications it carries. */
  readonly actions: readonly string[];
  /** Which notifications of the event it carries; null for all of them. */
  readonly picks: readonly number[] | null;
  /** How many of these were erased. */
  readonly erased: number;
  /** What its last attempt came to; null while there was none. */
  readonly outcome: LastOutcome | null;
  /** The job that made it, and the delivery that it repeats; null where it was made by its event. */
  readonly jobId: Id | null;
  readonly replayOf: Id | null;
};

/** A delivery as its registration's feed has it. */
export type FeedRow = {
  readonly sequence: number;
  readonly id: Id;
  readonly eventId: Id;
  readonly state: DeliveryState;
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** Of its notifications, in order. */
  readonly actions: readonly string[];
  /** Their raw JSON texts. */
  readonly notifications: readonly string[];
};

export type FeedQuery = {
  readonly tenant: string;
  readonly registrationId: Id;
  /** Only what has a higher number. */
  readonly after: number;
  readonly limit: number;
};

export type LastOutcome = {
  readonly class: string;
  /** Null where no answer came. */
  readonly status: number | null;
  readonly sentence: string;
};

/** What is looked for in the log; everything that is given must be so. */
export type LogQuery = {
  readonly tenant: string;
  /** A learner's or course's id, e-mail address or login name. */
  readonly subject?: string;
  readonly action?: string;
  readonly registrationId?: Id;
  readonly state?: DeliveryState;
  /** Of the last attempt: its class, its status, and words of its sentence in any case. */
  readonly outcome?: string;
  readonly status?: number;
  readonly text?: string;
  readonly from?: number;
  readonly to?: number;
};

export type DeliveryQuery = LogQuery & {
  readonly eventId?: Id;
  /** Only deliveries older than this id. */
  readonly before?: Id;
  readonly limit: number;
};

export type EventRow = {
  readonly id: Id;
  readonly tenant: string;
  readonly acceptedAt: number;
  readonly occurredAt: number | null;
  readonly actions: readonly string[];
  /** In place of one that was erased, its action and a word that says so. */
  readonly notifications: readonly string[];
  /** Which of them were erased. */
  readonly erased: readonly number[];
};

/** What is asked of deliveries must be so of one delivery of the event. */
export type EventQuery = LogQuery & {
  readonly before?: Id;
  readonly limit: number;
};

/**
 * Sentences kept of a tenant. Redirects name a place that the receiver chooses, so that one which
 * names ever new places must not fill the store; sentences past this are kept with the attempt only.
 */
export const MAX_OUTCOMES = 1000;

/** No more than these are counted. */
export const COUNT_LIMIT = 10_000;

/** Unfinished deliveries of one tenant. */
export type Unfinished = {
  readonly tenant: string;
  readonly pending: number;
  readonly held: number;
};

/** `isExact` is false when there are more. */
export type Count = { readonly count: number; readonly isExact: boolean };

export type AuditQuery = {
  /** Left out for all tenants and the installation, for its operators. */
  readonly tenant?: string;
  /** From this time on, and before that. */
  readonly from?: number;
  readonly to?: number;
  readonly before?: Id;
  readonly limit: number;
};
