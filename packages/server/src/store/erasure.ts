import type { Attempt } from '../core/attempt.ts';
import type { Id } from '../core/id.ts';
import type { EventRow } from './log.ts';

/** Events with a notification of one learner. */
export type LearnerQuery = {
  readonly tenant: string;
  /** The learner's key in the index, as `subjectKey` makes it. */
  readonly learner: string;
  /** Only events older than this one. */
  readonly before?: Id;
  readonly limit: number;
};

/** An event, and which of its notifications are the learner's. */
export type LearnerEvent = { readonly event: EventRow; readonly own: readonly number[] };

/** What becomes of deliveries that wait to be sent: cancelled, or what they carry is erased when they have ended. */
export const PENDING_CHOICES = ['send', 'cancel'] as const;
export type PendingChoice = (typeof PENDING_CHOICES)[number];

export type Erasure = LearnerQuery & {
  /** The id under which it is remembered. */
  readonly receipt: Id;
  readonly pending: PendingChoice;
  readonly now: number;
};

/** An unfinished delivery that an erasure came upon; `inHand` where a node has it in its memory. */
export type OpenDelivery = {
  readonly id: Id;
  readonly registrationId: Id;
  readonly state: 'pending' | 'held';
  readonly inHand: boolean;
};

/** What was done with one event. Where anything is `waiting`, its notifications are not erased yet. */
export type EventErasure = {
  readonly tenant: string;
  readonly receipt: Id;
  readonly eventId: Id;
  /** How many of each were erased. */
  readonly notifications: number;
  readonly deliveries: number;
  readonly attempts: number;
  readonly cancelled: readonly OpenDelivery[];
  readonly waiting: readonly OpenDelivery[];
};

/** `next`: the event to go on from, null at the end. */
export type ErasureStep = {
  readonly events: readonly EventErasure[];
  readonly next: EventRef | null;
};

export type EventRef = { readonly tenant: string; readonly eventId: Id };

/** `after`: the event that the step before ended with. */
export type MarkedErasure = {
  readonly after?: EventRef;
  readonly now: number;
  readonly limit: number;
};

/** Attempts of one delivery from the oldest on. */
export type AttemptsQuery = {
  readonly tenant: string;
  readonly deliveryId: Id;
  /** So many of the oldest are left out. */
  readonly skip: number;
  readonly limit: number;
};

/** What is kept about one learner, to be shown and to be erased. */
export interface ErasureStore {
  /** Newest first. Found by the index only, as everything about a learner. */
  learnerEvents(query: LearnerQuery): Promise<readonly LearnerEvent[]>;
  /** All attempts that are kept of one delivery, oldest first, page by page. */
  attempts(query: AttemptsQuery): Promise<readonly Attempt[]>;
  /**
   * Erases what is kept of one learner in at most `limit` events: the learner's notifications, what
   * attempts of the deliveries that carry them sent and were answered, and what they are found and
   * ordered by. Where a delivery waits first, the event is marked for `eraseMarked` and stays whole.
   */
  erase(erasure: Erasure): Promise<ErasureStep>;
  /** The same for events that an earlier erasure marked, in the order of their tenants and ids. */
  eraseMarked(marked: MarkedErasure): Promise<ErasureStep>;
  /** Overwrites what was erased in the files of the store; false where it will be later. */
  scrub(): Promise<boolean>;
}
