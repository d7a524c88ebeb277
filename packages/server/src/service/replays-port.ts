import type { Origin } from '../core/audit.ts';
import type { Job, JobChange, JobKind, Selection } from '../core/job.ts';
import type { Count } from '../store/port.ts';
import type { Page } from './library.ts';

export type ReplayRequest = {
  readonly kind: JobKind;
  readonly selection: Selection;
  readonly rate: number;
};

export type ReplayListQuery = {
  readonly tenant: string;
  readonly registrationId?: string;
  readonly cursor?: string;
  readonly limit: number;
};

/** Jobs that send again what lies in the past. */
export interface Replays {
  /** Undefined when there is no such registration; throws when there are too many unfinished ones. */
  create(
    tenant: string,
    registrationId: string,
    request: ReplayRequest,
    by?: Origin,
  ): Promise<Job | undefined>;
  list(query: ReplayListQuery): Promise<Page<Job>>;
  get(tenant: string, id: string): Promise<Job | undefined>;
  /** The job as it is then; throws `conflict` when its state does not allow it. */
  change(tenant: string, id: string, change: JobChange, by?: Origin): Promise<Job | undefined>;
}

/** What becomes of held deliveries when their registration is resumed. */
export type HeldChoice = 'all' | 'newest' | 'none';

/** How many would be sent, and how long that takes about; null where it is not known. */
export type HeldPart = { readonly sent: number | null; readonly seconds: number | null };

export type HeldPreview = {
  readonly held: Count;
  readonly all: HeldPart;
  readonly newest: HeldPart;
};

export interface Resuming {
  preview(tenant: string, id: string): Promise<HeldPreview | undefined>;
  /**
   * Makes the registration active; how many of what is held were cancelled, and how many are sent.
   * Throws `conflict` where it is active; undefined when there is none.
   */
  resume(
    tenant: string,
    id: string,
    choice: HeldChoice,
    by?: Origin,
  ): Promise<{ readonly cancelled: number; readonly held: Count } | undefined>;
}
