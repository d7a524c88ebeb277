import type { Attempt } from '../core/attempt.ts';
import type { Origin } from '../core/audit.ts';
import type { Id } from '../core/id.ts';
import type { DeliveryRow, LearnerEvent, PendingChoice } from '../store/port.ts';

/** An event with what is kept of one learner: `own` tells which of its notifications are theirs. */
export type KeptEvent = LearnerEvent & { readonly deliveries: AsyncIterable<KeptDelivery> };

/** All of its attempts, oldest first. */
export type KeptDelivery = {
  readonly row: DeliveryRow;
  readonly attempts: AsyncIterable<Attempt>;
};

/** What was erased, and how many of each; it names nobody. */
export type ErasureReceipt = {
  readonly id: Id;
  /** What the audit log calls the learner. */
  readonly subject: string;
  readonly erasedAt: number;
  readonly events: number;
  readonly notifications: number;
  readonly deliveries: number;
  readonly attempts: number;
  readonly cancelled: number;
  /** Deliveries that have to end before what they carry is erased, by itself. */
  readonly waiting: number;
  /** False where what was erased is overwritten in the files of the store only later. */
  readonly bytesGone: boolean;
};

/** What is kept about one learner, by an id, an e-mail address or a login name. */
export interface Learners {
  /** Event by event, newest first, private fields masked for who may only read. On record in the audit log. */
  kept(tenant: string, learner: string, by?: Origin): Promise<AsyncIterable<KeptEvent>>;
  /** Resolves once all is erased that waits for no delivery; what was cut short is asked for again. */
  erase(
    tenant: string,
    learner: string,
    how: { readonly pending: PendingChoice; readonly by?: Origin },
  ): Promise<ErasureReceipt>;
}
