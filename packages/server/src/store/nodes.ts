import type { Filter } from '../core/filter.ts';
import type { Id } from '../core/id.ts';
import type { ApiKey } from '../core/key.ts';
import type { Registration, RegistrationRef } from '../core/registration.ts';
import type { Tenant } from '../core/tenant.ts';

/** A change of what every node keeps in memory; undefined where the thing is gone. */
export type ConfigurationChange =
  | {
      readonly kind: 'registration';
      readonly tenant: string;
      readonly id: Id;
      readonly value: Registration | undefined;
    }
  | { readonly kind: 'filter'; readonly id: string; readonly value: Filter | undefined }
  | { readonly kind: 'tenant'; readonly id: string; readonly value: Tenant | undefined }
  | {
      readonly kind: 'key';
      readonly tenant: string;
      readonly id: Id;
      readonly value: ApiKey | undefined;
    };

/** `version`: everything up to it is among these changes or was known before. */
export type ConfigurationChanges = {
  readonly version: number;
  readonly changes: readonly ConfigurationChange[];
};

/** What others are told of a node. */
export type NodeInfo = { readonly name: string; readonly version: string };

/** Deliveries to one registration that another node has just accepted: they are due, and were never tried. */
export type Arrival = RegistrationRef & {
  /** How many there are. */
  readonly count: number;
  /** What the store knows them by, each alone or several together. */
  readonly names: readonly string[];
};

/** What happens to a node among others. */
export type NodeEvents = {
  /** These shards are this node's now: it takes over what they hold. */
  readonly gained: (shards: readonly number[]) => Promise<void>;
  /** Another node is to have these: resolves when nothing of them is in hand any more. */
  readonly leaving: (shards: readonly number[]) => Promise<void>;
  /** The others gave this node up: nothing it has in hand is its own. Resolves when all is put down. */
  readonly lost: () => Promise<void>;
  /** Something became due for these, or is not as they are. */
  readonly woken: (refs: readonly RegistrationRef[]) => void;
  /** These were accepted elsewhere, matched with this version of the configuration. */
  readonly arrived: (arrivals: readonly Arrival[], version: number) => void;
  /** A delivery that may wait in memory was cancelled elsewhere. */
  readonly dropped: (ref: RegistrationRef, id: Id) => void;
  /** Wake-ups may have been missed. */
  readonly look: () => void;
  /** What nodes keep in memory may have changed. */
  readonly changed: () => void;
};

/** A node's place among the others. */
export interface Membership {
  /** False when the others may have given this node up: nothing new may be sent. */
  mayWork(): boolean;
  /** Lets the others have all shards at once; call it when nothing is in hand. */
  leave(): Promise<void>;
}

/** A running process, as the others see it. */
export type NodeRow = {
  readonly name: string;
  readonly version: string;
  readonly startedAt: number;
  /** How many of the shards it sends for. */
  readonly shards: number;
  /** Milliseconds since it was heard of. */
  readonly silentMs: number;
};

/** A registration with pending deliveries, and when the first of those that can be claimed is due. */
export type Backlog = {
  readonly tenant: string;
  readonly registrationId: Id;
  readonly nextDueAt: number;
};

/** What an earlier run left behind. */
export type Recovery = {
  readonly pending: readonly Backlog[];
  /** Registrations with held deliveries: those that are active again by now go on. */
  readonly held: readonly { readonly tenant: string; readonly registrationId: Id }[];
  /** Registrations with unfinished deliveries that have an order: not all of them may want one still. */
  readonly ordered: readonly { readonly tenant: string; readonly registrationId: Id }[];
};
