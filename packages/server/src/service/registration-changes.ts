import type { Attempt } from '../core/attempt.ts';
import { type AuditEntry, auditEntry, type Origin } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import type { Registration, RegistrationRef } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';
import type { Allow } from '../egress/allow.ts';
import type { Egress } from '../egress/port.ts';
import type { RegistrationChange } from '../engine/options.ts';
import type { Store } from '../store/port.ts';
import { registrationNote } from './audit.ts';
import type { Filters, IdValidator, Registrar } from './library.ts';

/** What subscribing stands on, and whom it tells. */
export type RegistrationsDeps = {
  readonly store: Pick<
    Store,
    'registrations' | 'insertRegistration' | 'updateRegistration' | 'deleteRegistration' | 'note'
  >;
  readonly filters: Filters;
  readonly egress: Egress;
  readonly allow: Allow;
  readonly isOwn: (address: string, port: number) => boolean;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly registrars: readonly Registrar[];
  readonly idValidator: IdValidator;
  /** False once a tenant is being removed: nothing is registered for it any more. */
  readonly hasTenant: (tenant: string) => boolean;
  /**
   * Called for `added` and `changed` after the change is durable and before it is answered; for
   * `removed` before the store is asked, so that nothing accepted after the answer is matched.
   */
  readonly onChange: (change: RegistrationChange) => void;
  /** Called when a removal is durable. */
  readonly onRemoved: (ref: RegistrationRef) => void;
  /** Makes one attempt that is not recorded. */
  readonly sendTest: (
    registration: Registration,
    notification: string,
  ) => Promise<{ attempt: Attempt; body: string }>;
};

/** A change as the audit log tells it. */
export type Noted = {
  readonly what: string;
  readonly before?: Registration;
  readonly after?: Registration;
  /** What is only looked at. */
  readonly about?: Registration;
};

/** The entry of a change that is made now. */
export function noteOf({ clock, sealer }: RegistrationsDeps, by: Origin, noted: Noted): AuditEntry {
  const { what, before, after, about } = noted;
  const { tenant = null, id: target = '' } = after ?? before ?? about ?? {};
  const shown = (registration: Registration | undefined): object | null =>
    registration === undefined ? null : registrationNote(sealer, registration);
  const change = { tenant, what, target, before: shown(before), after: shown(after) };
  return auditEntry(clock.now(), by, change);
}
