import { type Id, newId } from './id.ts';
import type { Caller } from './key.ts';

/** Who asked for a change, and how. */
export type Origin = {
  /** `Service` is Schoolbell itself, or the program that it runs in. */
  readonly level: Caller['level'] | 'Service';
  /** Id and name of the key; null for the admin key. */
  readonly keyId: Id | null;
  readonly keyName: string | null;
  /** Method and route, such as `PUT /webhooks/registrations/:id`. */
  readonly call: string | null;
  readonly address: string | null;
  readonly requestId: Id | null;
};

/** What was done to what. */
export type Change = {
  /** Whose it is; null for what belongs to the installation. */
  readonly tenant: string | null;
  /** In words: `registration replaced`. */
  readonly what: string;
  /** Id or name of the thing. */
  readonly target: string;
  /** The thing before and after as JSON, secrets as their names; null where there was or is none. */
  readonly before: object | null;
  readonly after: object | null;
};

/** One line of the record of who did what: written once, never changed. */
export type AuditEntry = Origin & Change & { readonly id: Id; readonly at: number };

/** What nobody asked for through the API. */
export const SERVICE: Origin = {
  level: 'Service',
  keyId: null,
  keyName: null,
  call: null,
  address: null,
  requestId: null,
};

/** The entry of a change that is made now. */
export function auditEntry(nowMs: number, by: Origin, change: Change): AuditEntry {
  return { id: newId(nowMs), at: nowMs, ...by, ...change };
}
