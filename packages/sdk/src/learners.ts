import type { Delivery } from './client.ts';
import type { AnyNotification } from './notification.ts';

/** What is kept about one learner: events, newest first, with where they went. */
export type LearnerExport = {
  readonly Subject: string;
  readonly ExportedAt: string;
  readonly Events: readonly {
    readonly Id: string;
    readonly AcceptedAt: string;
    readonly OccurredAt: string | null;
    readonly Actions: readonly string[];
    /** The learner's, and no others of the event. */
    readonly Notifications: readonly AnyNotification[];
    readonly Deliveries: readonly (Delivery & { readonly History: readonly unknown[] })[];
  }[];
};

/** What was erased, and how many of each. It names nobody: `Subject` is what the audit log calls the learner. */
export type ErasureReceipt = {
  readonly Id: string;
  readonly Subject: string;
  readonly ErasedAt: string;
  readonly Events: number;
  readonly Notifications: number;
  readonly Deliveries: number;
  readonly Attempts: number;
  readonly Cancelled: number;
  /** Deliveries that have to end before what they carry is erased, by itself. */
  readonly Waiting: number;
  /** False where the database overwrites what was erased only later. */
  readonly BytesGone: boolean;
};
