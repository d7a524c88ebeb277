import type { Attempt, MadeAttempt } from '../core/attempt.ts';
import type { AuditEntry } from '../core/audit.ts';
import type { Delivery, DeliveryState } from '../core/delivery.ts';
import type { Filter } from '../core/filter.ts';
import type { Id } from '../core/id.ts';
import type { ApiKey } from '../core/key.ts';
import type { Registration, RegistrationRef } from '../core/registration.ts';
import type { Streak } from '../core/streak.ts';
import type { SubjectPaths } from '../core/subjects.ts';
import type { Tenant } from '../core/tenant.ts';
import type { HeldStore } from './held.ts';
import type { PruningStore } from './pruning.ts';
import type { JobStore } from './jobs.ts';
import type { ErasureStore } from './erasure.ts';
import type {
  AuditQuery,
  Count,
  DeliveryQuery,
  DeliveryRow,
  EventQuery,
  EventRow,
  FeedQuery,
  FeedRow,
  LogQuery,
  Unfinished,
} from './log.ts';
import type {
  Arrival,
  ConfigurationChanges,
  Membership,
  NodeEvents,
  NodeInfo,
  NodeRow,
  Recovery,
} from './nodes.ts';
import type { StatisticsStore } from './statistics-port.ts';

export type {
  Erasure,
  ErasureStep,
  EventErasure,
  LearnerEvent,
  LearnerQuery,
  MarkedErasure,
  OpenDelivery,
  PendingChoice,
} from './erasure.ts';
export { PENDING_CHOICES } from './erasure.ts';
export { ATTEMPTS_SHOWN, COUNT_LIMIT, MAX_OUTCOMES } from './log.ts';
export type {
  AuditQuery,
  Count,
  DeliveryQuery,
  DeliveryRow,
  EventQuery,
  EventRow,
  FeedQuery,
  FeedRow,
  LastOutcome,
  LogQuery,
  Unfinished,
} from './log.ts';
export type {
  Arrival,
  Backlog,
  ConfigurationChange,
  ConfigurationChanges,
  Membership,
  NodeEvents,
  NodeInfo,
  NodeRow,
  Recovery,
} from './nodes.ts';
export type { HeldCancellation, HeldDelivery, HeldPage, HeldStore } from './held.ts';
export type {
  Candidate,
  Candidates,
  JobDelivery,
  JobMove,
  JobQuery,
  JobStep,
  JobStore,
} from './jobs.ts';
export type { PrunedSome, PruneSome, PruningStore } from './pruning.ts';
export type { StatisticsQuery, StatisticsStore, TenantBacklog } from './statistics-port.ts';

/** One delivery as matched; `leased` ones go straight to their lane and are not claimed again. */
export type NewDelivery = {
  readonly id: Id;
  readonly registrationId: Id;
  readonly state: 'pending' | 'held';
  readonly leased: boolean;
  /** Indices of the notifications this registration gets; null for all of them. */
  readonly picks: readonly number[] | null;
  /**
   * The keys it is ordered by, each once and at least one; null where it is not. It is behind while
   * an event accepted earlier has an unfinished (pending or held) delivery to the same registration
   * with a key in common, and what is behind is not claimed. Ordered deliveries are never accepted
   * as leased.
   */
  readonly orderKeys: readonly string[] | null;
};

/** One event of one tenant with everything that must be committed with it. */
export type NewEvent = {
  readonly id: Id;
  readonly tenant: string;
  readonly acceptedAt: number;
  readonly occurredAt: number | null;
  /** What `traceOf` made, where the call that published it belongs in a trace. */
  readonly trace?: string;
  /** Raw JSON texts of the notifications, in order, joined by NOTIFICATION_SEPARATOR. */
  readonly payload: string;
  /** The actions of the notifications, in order. */
  readonly actions: readonly string[];
  readonly deliveries: readonly NewDelivery[];
};

/** What is accepted whole or not at all. */
export type Publication = {
  readonly events: readonly NewEvent[];
  /** Makes a repeated call answer as the first did; `hash` tells whether the body is the same. */
  readonly idempotency: Idempotency | null;
};

export type Idempotency = {
  readonly tenant: string;
  readonly key: string;
  readonly hash: string;
  /** Stored with the key, and given back when the call is repeated. */
  readonly answer: string;
  readonly at: number;
};

export type Acceptance =
  /**
   * `numbers`: the sequence of each delivery, in order. `unleased`: the node was given up meanwhile,
   * so that all deliveries wait in the store.
   */
  | { readonly kind: 'accepted'; readonly numbers: readonly number[]; readonly unleased?: true }
  /** Nothing was written: what it was matched with is no longer how things are. */
  | { readonly kind: 'stale' }
  | Earlier;

/** What comes of a key that was used before. */
export type Earlier =
  | { readonly kind: 'repeated'; readonly answer: string }
  | { readonly kind: 'conflict' };

/** The state a delivery goes to after an attempt. */
export type NextState =
  | { readonly state: 'pending'; readonly dueAt: number; readonly step: number }
  | { readonly state: Exclude<DeliveryState, 'pending'>; readonly reason: string | null };

export type Settlement = {
  readonly tenant: string;
  readonly deliveryId: Id;
  readonly attempt: MadeAttempt;
  readonly next: NextState;
  /** That of its delivery: tells whether others may have waited for this. */
  readonly ordered: boolean;
};

/** How a registration's endpoint fails. */
export type StreakOf = RegistrationRef & { readonly streak: Streak };
/** Null where it fails no more. */
export type StreakChange = RegistrationRef & { readonly streak: Streak | null };

export type LaneRoom = {
  readonly tenant: string;
  readonly registrationId: Id;
  /** How many deliveries the lane can take now, at least 1. */
  readonly room: number;
};

/** `nextDueAt`: when the first of those that could have been claimed but were not is due; null when there is none. */
export type LaneClaim = {
  readonly deliveries: readonly Delivery[];
  readonly nextDueAt: number | null;
};

/** Moves deliveries of one registration from one state to another, oldest first, at most `limit`. */
export type Move = {
  readonly tenant: string;
  readonly registrationId: Id;
  readonly from: 'pending' | 'held';
  readonly to: 'pending' | 'held' | 'cancelled';
  readonly reason: string | null;
  readonly now: number;
  readonly limit: number;
};

/** The reason a delivery has while it is behind others in its registration's order. */
export const BEHIND = 'waits for an earlier delivery';

/**
 * What Schoolbell keeps, in the engine's words. Writes resolve only after they are on disk, in the
 * order in which they were called. Every read and write but the loaders names its tenant, and an id
 * of another tenant answers exactly as an unknown one. `store/contract.ts` proves a driver.
 *
 * Where a write takes a `note`, it is appended to the audit log in the same transaction: both are
 * on disk or neither is. A write that changes nothing (false) or fails appends none.
 */
export interface Store extends JobStore, HeldStore, StatisticsStore, ErasureStore, PruningStore {
  /** True where writes called for while it commits wait at the store and share its next commit. */
  readonly queuesWrites: boolean;
  /**
   * Writes events with their deliveries in one transaction for all publications. `version` names the
   * configuration they were matched with; when it has changed since, all are `stale` and none is written.
   */
  accept(batch: readonly Publication[], version?: number): Promise<readonly Acceptance[]>;
  /** What `accept` would answer because of this key, used before; undefined for a new one. */
  earlier(key: Pick<Idempotency, 'tenant' | 'key' | 'hash'>): Promise<Earlier | undefined>;
  /** Records attempts and new states. False for a delivery that was not pending any more: nothing of it is written but the attempt. */
  settle(batch: readonly Settlement[]): Promise<readonly boolean[]>;
  /** Leases what is due at `now` and not behind, oldest due first, up to each lane's room. */
  claim(lanes: readonly LaneRoom[], now: number): Promise<readonly LaneClaim[]>;
  /** Leases what was never tried of these, is pending, not behind, and in no lane of this node. */
  claimArrived(arrivals: readonly Arrival[]): Promise<readonly Delivery[]>;
  /** Gives leases back without an attempt. */
  release(deliveries: readonly { readonly tenant: string; readonly id: Id }[]): Promise<void>;
  /** Gives back all leases in these shards, whoever had them, and tells what waits there. */
  recover(shards: readonly number[]): Promise<Recovery>;
  /** Every registration with pending or held deliveries in these shards; leases stay, and orders are not looked at. */
  waiting(shards: readonly number[]): Promise<Recovery>;
  /** Makes this process a node: from now on it is told which shards are its own. */
  join(node: NodeInfo, events: NodeEvents): Promise<Membership>;
  /** Tells the nodes that send for these that something is due. */
  wake(refs: readonly RegistrationRef[]): Promise<void>;
  /** Tells the node that sends for this one that a delivery was cancelled. */
  drop(ref: RegistrationRef, id: Id): Promise<void>;
  nodes(): Promise<readonly NodeRow[]>;
  /** What changed of registrations, filters, tenants and keys after `version`; null asks for the version alone. */
  changes(version: number | null): Promise<ConfigurationChanges>;
  /** What is kept of failing endpoints in these shards. */
  streaks(shards: readonly number[]): Promise<readonly StreakOf[]>;
  /** Keeps these, of registrations that there are. Writes nothing once the node was given up. */
  putStreaks(changes: readonly StreakChange[]): Promise<void>;
  /** How many were moved; fewer than `limit` means none is left. */
  move(move: Move): Promise<number>;
  /**
   * Takes the order from unfinished deliveries of this registration, about `limit` at a time. False
   * when none is left that has one.
   */
  unorder(tenant: string, registrationId: Id, limit: number): Promise<boolean>;
  /**
   * Makes one delivery pending again and due now, whatever ended it and from the first step of the
   * schedule; false when there is none. It takes its old place in its registration's order: what
   * can be claimed is behind it from now on. The caller sees to it that no lane holds it.
   */
  retry(tenant: string, id: Id, now: number, note?: AuditEntry): Promise<boolean>;
  /** Cancels one pending or held delivery; false when there is none in such a state. */
  cancel(tenant: string, id: Id, now: number, note?: AuditEntry): Promise<boolean>;

  registrations(): Promise<readonly Registration[]>;
  insertRegistration(registration: Registration, note?: AuditEntry): Promise<void>;
  /** False when there is none with this tenant and id. */
  updateRegistration(registration: Registration, note?: AuditEntry): Promise<boolean>;
  deleteRegistration(tenant: string, id: Id, note?: AuditEntry): Promise<boolean>;

  filters(): Promise<readonly Filter[]>;
  putFilter(filter: Filter, note?: AuditEntry): Promise<void>;
  deleteFilter(name: string, note?: AuditEntry): Promise<boolean>;

  tenants(): Promise<readonly Tenant[]>;
  /** False when the id is taken. */
  insertTenant(tenant: Tenant, note?: AuditEntry): Promise<boolean>;
  /** False when there is none with this id. */
  updateTenant(tenant: Tenant, note?: AuditEntry): Promise<boolean>;
  /**
   * Removes the tenant and everything that is kept for it, in steps: others' writes go on between
   * them. The tenant itself goes last, so a deletion that was cut short can be asked for again. Its
   * audit log stays: it ages out by `pruneAudit`, like everybody's.
   */
  deleteTenant(id: string, note?: AuditEntry): Promise<boolean>;

  keys(): Promise<readonly ApiKey[]>;
  insertKey(key: ApiKey, note?: AuditEntry): Promise<void>;
  deleteKey(tenant: string, id: Id, note?: AuditEntry): Promise<boolean>;

  /**
   * Notes what events are found by, oldest first and about `limit` of those that were not looked over
   * yet; how many, fewer than `limit` where there are no more. An event is not found by action or
   * subject before. With `leavesRecent` what another node has just accepted is left to that one. One
   * call at a time.
   */
  index(paths: SubjectPaths, limit: number, leavesRecent?: boolean): Promise<number>;
  /** Newest first. A delivery is as old as its id. */
  deliveries(query: DeliveryQuery): Promise<readonly DeliveryRow[]>;
  countDeliveries(query: Omit<DeliveryQuery, 'before' | 'limit'>): Promise<Count>;
  /** With the newest attempts, `ATTEMPTS_SHOWN` at most, oldest first. */
  delivery(
    tenant: string,
    id: Id,
  ): Promise<{ row: DeliveryRow; attempts: readonly Attempt[] } | undefined>;
  /** Newest first. */
  events(query: EventQuery): Promise<readonly EventRow[]>;
  countEvents(query: LogQuery): Promise<Count>;
  event(tenant: string, id: Id): Promise<EventRow | undefined>;
  /** Deliveries of one registration in the order of their numbers. */
  feed(query: FeedQuery): Promise<readonly FeedRow[]>;
  /** The last number the registration has given; 0 where it has none. */
  lastSequence(tenant: string, registrationId: Id): Promise<number>;

  /** Appends an entry for a change that the store has no part in, such as a test that was sent. */
  note(entry: AuditEntry): Promise<void>;
  /** Newest first, each entry as it was appended. No call changes one. */
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /** Removes at most `limit` entries from before `before`, oldest first; how many. */
  pruneAudit(before: number, limit: number): Promise<number>;

  /**
   * Unfinished deliveries of each tenant that has any. Tenants are counted one after another, while
   * writes go on.
   */
  unfinished(): Promise<readonly Unfinished[]>;
  /** A small value of the installation, such as the id of its encryption key. */
  setting(name: string): Promise<string | undefined>;
  putSetting(name: string, value: string): Promise<void>;

  /** Throws when the store cannot be written now. */
  check(): Promise<void>;
  close(): Promise<void>;
}
