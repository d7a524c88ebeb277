import type { Attempt } from '../core/attempt.ts';
import type { AuditEntry, Origin } from '../core/audit.ts';
import type { History } from '../core/explain-history.ts';
import type { Filter } from '../core/filter.ts';
import type { Id } from '../core/id.ts';
import type { ApiKey, Caller, Level } from '../core/key.ts';
import type { Missed } from '../core/missed.ts';
import type { Ordering } from '../core/ordering.ts';
import type { Outcome } from '../core/outcome.ts';
import type { EventDraft } from '../core/publication.ts';
import type { Registration } from '../core/registration.ts';
import type { Tenant, TenantSettings } from '../core/tenant.ts';
import type {
  Count,
  DeliveryRow,
  EventRow,
  FeedQuery,
  FeedRow,
  LogQuery,
  NodeRow,
} from '../store/port.ts';
import type { Statistics } from './statistics.ts';
import type { Learners } from './learners-port.ts';
import type { Replays, Resuming } from './replays-port.ts';
import type { Trials } from './trials.ts';

export type { ErasureReceipt, KeptDelivery, KeptEvent, Learners } from './learners-port.ts';
export type {
  HeldChoice,
  HeldPart,
  HeldPreview,
  ReplayListQuery,
  ReplayRequest,
  Replays,
  Resuming,
} from './replays-port.ts';

/** What a subscriber hands in, after its JSON has been read: everything still to be judged. */
export type RegistrationDraft = {
  /** Only a custom id validator looks at it on POST; on PUT it must be the id of the path. */
  readonly id: string | null;
  readonly webHookUri: string;
  readonly secret: string | null;
  readonly description: string | null;
  readonly isPaused: boolean;
  readonly filters: readonly (string | null)[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Compact JSON text of an object. */
  readonly properties: string;
  /** Compact JSON text; null where every notification of the filters is wanted. */
  readonly conditions: string | null;
  readonly ordering: Ordering | null;
};

export type RegisterOptions = {
  /** False for subscribe calls of automation tools, whose callbacks answer no GET. */
  readonly verifyEcho: boolean;
  /** Absolute URI of the filter list, named in the refusal of unknown filters. */
  readonly filtersUri: string;
  /** Who asks, for the audit log; `SERVICE` where left out. */
  readonly by?: Origin;
};

/** Adds private filters to a registration or refuses it, as Microsoft's IWebHookRegistrar. */
export type Registrar = {
  readonly name: string;
  /** Returns names beginning with `MS_Private_` to add. Throws to refuse. */
  readonly register: (registration: Registration) => Promise<readonly string[]> | readonly string[];
};

/** Keeps or replaces the id a client asks for, as Microsoft's IWebHookIdValidator. Null: make a new one. */
export type IdValidator = (requested: string | null) => string | null;

/**
 * Every call names its tenant; ids of other tenants answer as unknown ones. Calls that change
 * something take who asks for it, for the audit log; `SERVICE` where left out.
 */
export interface Registrations {
  list(tenant: string): readonly Registration[];
  get(tenant: string, id: string): Registration | undefined;
  /** Resolves once durable and matched from now on. */
  register(
    tenant: string,
    draft: RegistrationDraft,
    options: RegisterOptions,
  ): Promise<Registration>;
  replace(
    tenant: string,
    id: string,
    draft: RegistrationDraft,
    options: RegisterOptions,
  ): Promise<void>;
  /** False when there is none. */
  remove(tenant: string, id: string, by?: Origin): Promise<boolean>;
  removeAll(tenant: string, by?: Origin): Promise<void>;
  /** Removes those with exactly this WebHookUri; how many. */
  removeByUri(tenant: string, webHookUri: string, by?: Origin): Promise<number>;
  /**
   * Gives the registration another secret; the old ones sign beside it for a while. The
   * registration in clear; undefined when there is none.
   */
  changeSecret(
    tenant: string,
    id: string,
    request: SecretRequest,
    by?: Origin,
  ): Promise<Registration | undefined>;
  /** Sends the example of a filter now; records nothing. Undefined when there is no such registration. */
  test(
    tenant: string,
    id: string,
    filter: string | null,
    by?: Origin,
  ): Promise<TestResult | undefined>;
}

export type SecretRequest = {
  /** Null to have one made. */
  readonly secret: string | null;
  /** How long the secrets before it sign the Standard Webhooks header too; 0 ends them at once. */
  readonly overlapMs: number;
  /** When `ms-signature` goes over to it; null for at once. */
  readonly switchAt: number | null;
};

export type TestResult = { readonly attempt: Attempt; readonly body: string };

export interface Filters {
  /** Built-in and the operator's own, `*` last. */
  list(): readonly Filter[];
  /** Ignores case. */
  get(name: string): Filter | undefined;
  isBuiltIn(name: string): boolean;
  /** Of one that is built in, only what can be set of it is taken. */
  put(filter: Filter, by?: Origin): Promise<void>;
  remove(name: string, by?: Origin): Promise<boolean>;
}

export type Receipt = { readonly id: Id; readonly deliveries: number };

export interface Events {
  /**
   * Resolves once durable. `hash` is of the body as sent; with a call-wide idempotency key the call
   * is accepted whole or not at all, otherwise each event is. One receipt text per event:
   * `{"Id":…,"Deliveries":…}`.
   */
  publish(caller: Caller, call: PublishCall): Promise<readonly string[]>;
  /** Private fields are masked, as by `get`. */
  list(query: LogListQuery): Promise<Page<EventRow>>;
  count(query: LogQuery): Promise<Count>;
  get(tenant: string, id: string): Promise<EventRow | undefined>;
  /** The registrations of the tenant that have no delivery of this event, and why. */
  missed(event: EventRow): Promise<readonly MissedRegistration[]>;
}

export type MissedRegistration = Missed & { readonly registration: Registration };

export type PublishCall = {
  readonly events: readonly EventDraft[];
  readonly idempotencyKey: string | null;
  /** What `traceOf` made and deliveries pass on, where the call belongs in a trace. */
  readonly trace?: string;
  /** SHA-256 of the body, made only when asked for. */
  readonly hash: () => string;
};

export type Page<T> = { readonly items: readonly T[]; readonly next: string | null };

/** Newest first, from a cursor on. */
export type LogListQuery = LogQuery & { readonly cursor?: string; readonly limit: number };

export type DeliveryListQuery = LogListQuery & { readonly eventId?: string };

/** A delivery with its attempts in order, and what was known around each that failed. */
export type DeliveryStory = {
  readonly row: DeliveryRow;
  readonly attempts: readonly Attempt[];
  readonly histories: readonly (History | undefined)[];
};

export interface Deliveries {
  list(query: DeliveryListQuery): Promise<Page<DeliveryRow>>;
  count(query: Omit<DeliveryListQuery, 'cursor' | 'limit'>): Promise<Count>;
  get(tenant: string, id: string): Promise<DeliveryStory | undefined>;
  retry(tenant: string, id: string, by?: Origin): Promise<boolean>;
  cancel(tenant: string, id: string, by?: Origin): Promise<boolean>;
}

export interface Tenants {
  list(): readonly Tenant[];
  get(id: string): Tenant | undefined;
  create(id: string, settings: TenantSettings, by?: Origin): Promise<Tenant>;
  /** What is left out stays as it is. Undefined when there is none. */
  change(id: string, settings: Partial<TenantSettings>, by?: Origin): Promise<Tenant | undefined>;
  remove(id: string, by?: Origin): Promise<boolean>;
}

export interface Keys {
  list(tenant: string): readonly ApiKey[];
  /** The key in clear is in this answer only. */
  create(tenant: string, request: NewKey, by?: Origin): Promise<{ record: ApiKey; key: string }>;
  revoke(tenant: string, id: string, by?: Origin): Promise<boolean>;
  /** Who the key of this `keyDigest` belongs to; undefined for an unknown, revoked or expired one. */
  authenticate(
    digest: string,
  ): { level: Level; tenant: string; keyId: Id; keyName: string } | { level: 'Admin' } | undefined;
}

export type AuditListQuery = {
  readonly from?: number;
  readonly to?: number;
  readonly cursor?: string;
  readonly limit: number;
};

/** The record of who did what, newest first. */
export interface Audit {
  /** What was done in one tenant, since there is this tenant. */
  ofTenant(tenant: string, query: AuditListQuery): Promise<Page<AuditEntry>>;
  /** What was done in the installation, or in a tenant of this id, gone ones too. */
  list(query: AuditListQuery & { readonly tenant?: string }): Promise<Page<AuditEntry>>;
}

export type NewKey = {
  readonly level: Level;
  readonly name: string;
  readonly expiresAt: number | null;
};

/** The deliveries of a registration in the order of their numbers. */
export interface Feed {
  /** `last` is the number it has given last. Undefined when there is no such registration. */
  read(
    query: FeedQuery,
  ): Promise<{ readonly items: readonly FeedRow[]; readonly last: number } | undefined>;
}

/** Everything Schoolbell can be asked to do: what the HTTP API calls, and what an LMS imports. */
export interface Library {
  readonly registrations: Registrations;
  readonly filters: Filters;
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly replays: Replays;
  readonly resuming: Resuming;
  readonly learners: Learners;
  readonly tenants: Tenants;
  readonly keys: Keys;
  readonly audit: Audit;
  readonly statistics: Statistics;
  readonly feed: Feed;
  readonly trials: Trials;
  readonly nodes: Nodes;
  /** Resolves when everything is known that was registered, or changed, anywhere before the call. */
  refresh(): Promise<void>;
  /** Throws with a reason when publishing would fail now. */
  ready(): Promise<void>;
}

/** The processes that share the work. */
export interface Nodes {
  list(): Promise<readonly NodeRow[]>;
}

export type { EventDraft, Outcome };
