import type { Id } from './id.ts';
import type { Ordering } from './ordering.ts';
import type { OldSecret } from './secrets.ts';

/** Why a registration was switched off, and when. */
export type SwitchedOff = { readonly at: number; readonly reason: string };

/** One subscribed webhook, as the engine and the API know it: in clear, member for member Microsoft's. */
export type Registration = {
  readonly id: Id;
  readonly tenant: string;
  /** As the subscriber wrote it, never normalised. */
  readonly webHookUri: string;
  readonly secret: string;
  /** Tells secrets apart, in the attempts' log and the audit log, without telling them. */
  readonly secretId: string;
  /** When the secret was changed last; null while it is the first. */
  readonly secretChangedAt: number | null;
  /** Secrets before it that still sign, the newest first. */
  readonly oldSecrets: readonly OldSecret[];
  readonly description: string | null;
  readonly isPaused: boolean;
  /** Names in the catalogue's spelling, in order of first appearance; may hold `*`. */
  readonly filters: readonly string[];
  /** Name and value in the order given; names are unique ignoring case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Compact JSON text of an object, copied into every body. */
  readonly properties: string;
  /** Compact JSON text of what a notification must hold to be sent here; null where everything is. */
  readonly conditions: string | null;
  readonly createdAt: number;
  /** When whoever holds it changed it last: failures of its endpoint count from then on. */
  readonly updatedAt: number;
  /** Set when an endpoint answered 410 or failed too long; its deliveries are held. */
  readonly switchedOff: SwitchedOff | null;
  /** Absent where deliveries have no order. */
  readonly ordering?: Ordering;
};

/** Which registration: ids are unique within their tenant only. */
export type RegistrationRef = { readonly tenant: string; readonly id: Id };

/** One text for both parts; tenants' ids hold no slash. */
export function registrationKey({ tenant, id }: RegistrationRef): string {
  return `${tenant}/${id}`;
}

/** Matches every action. */
export const WILDCARD = '*';

/** Filters that only registrars may add; never shown. */
export const PRIVATE_FILTER_PREFIX = 'ms_private_';

/** True for filters that a registrar added and no answer shows. */
export function isPrivateFilter(name: string): boolean {
  return name.toLowerCase().startsWith(PRIVATE_FILTER_PREFIX);
}

/** Why an endpoint that answered 410 is switched off. */
export const GONE = 'endpoint answered 410 Gone';

/** Why deliveries to a registration that is not active are held. */
export function heldReason({ switchedOff }: Registration): string {
  return switchedOff?.reason ?? 'registration paused';
}

/** True when deliveries may be sent now; otherwise they are held. */
export function isActive(registration: Registration): boolean {
  return !registration.isPaused && registration.switchedOff === null;
}
