import type { AuditEntry } from '../core/audit.ts';
import type { Id } from '../core/id.ts';
import type { Job, JobState } from '../core/job.ts';

/** Something a job can make a delivery of. */
export type Candidate = {
  /** The cursor when this one is dealt with. */
  readonly id: Id;
  readonly eventId: Id;
  /** The delivery that is repeated; null where the event has none to the registration. */
  readonly replayOf: Id | null;
  /** Those that were carried and are not erased, of an event without a delivery those that are not erased; null for all. */
  readonly picks: readonly number[] | null;
  /** Of the whole event, in order. */
  readonly actions: readonly string[];
  /** The same; empty unless asked for. */
  readonly notifications: readonly string[];
};

/** `next`: the cursor when these are dealt with; null when there is nothing behind them. */
export type Candidates = { readonly items: readonly Candidate[]; readonly next: Id | null };

/** A delivery that a job makes, pending and due at once. */
export type JobDelivery = {
  readonly id: Id;
  readonly eventId: Id;
  readonly replayOf: Id | null;
  readonly picks: readonly number[] | null;
  /** As those of a new delivery; it goes behind everything that has an order by now. */
  readonly orderKeys: readonly string[] | null;
};

export type JobStep = {
  readonly tenant: string;
  readonly id: Id;
  readonly registrationId: Id;
  /** Where the job must stand. */
  readonly cursor: Id | null;
  /** Where it stands afterwards; null ends it. */
  readonly next: Id | null;
  readonly deliveries: readonly JobDelivery[];
  readonly now: number;
};

export type JobQuery = {
  readonly tenant: string;
  readonly registrationId?: Id;
  readonly before?: Id;
  readonly limit: number;
};

/** Changes a job that is in one of these states. */
export type JobMove = {
  readonly tenant: string;
  readonly id: Id;
  readonly from: readonly JobState[];
  readonly to: JobState;
  readonly reason: string | null;
  readonly now: number;
};

/** Jobs that send again, see `core/job.ts`. What a job asked for about a person goes when it ends. */
export interface JobStore {
  /** False when the tenant has `most` unfinished ones already. */
  insertJob(job: Job, most: number, note?: AuditEntry): Promise<boolean>;
  job(tenant: string, id: Id): Promise<Job | undefined>;
  /** Newest first. */
  jobs(query: JobQuery): Promise<readonly Job[]>;
  /** The running ones of registrations in these shards, oldest first. */
  runningJobs(shards: readonly number[]): Promise<readonly Job[]>;
  /** False when it is in none of the states it is to come from. */
  moveJob(move: JobMove, note?: AuditEntry): Promise<boolean>;
  /**
   * What a job can make deliveries of next, oldest first and at most `limit`: it looks through a
   * bounded part of the store, so that there may be none although more is behind. Nothing that was
   * made after the job is among them.
   */
  candidates(
    job: Job,
    asked: { readonly limit: number; readonly texts: boolean },
  ): Promise<Candidates>;
  /**
   * Makes deliveries and moves the job on, both or neither. False, and nothing is written, when the
   * job is not running or stands elsewhere. What has lost its event meanwhile is left out.
   */
  stepJob(step: JobStep): Promise<boolean>;
  /** How many pending deliveries of a registration are behind others in its order, counted up to `limit`. */
  behind(tenant: string, registrationId: Id, limit: number): Promise<number>;
  /** Removes at most `limit` jobs that ended before `before`; how many. */
  pruneJobs(before: number, limit: number): Promise<number>;
}
