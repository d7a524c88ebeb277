import type { MadeAttempt } from '../core/attempt.ts';
import type { Clock } from '../core/clock.ts';
import type { Concern } from '../core/concern.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Registration } from '../core/registration.ts';
import type { Schedule } from '../core/schedule.ts';
import type { SwitchOffRule } from '../core/streak.ts';
import type { Sender } from '../sending/port.ts';
import type { SubjectsOf } from './matching.ts';
import type { Tally } from './tally.ts';
import type { NodeInfo, Store } from '../store/port.ts';

export type EngineOptions = {
  readonly store: Store;
  readonly node: NodeInfo;
  /** What this node knows of registrations, and how it learns more. */
  readonly configuration: {
    readonly version: () => number;
    readonly refresh: () => Promise<void>;
  };
  readonly sender: Pick<Sender, 'send' | 'forget'>;
  /** What is due when: must not jump. */
  readonly clock: Clock;
  /** From 0 up to 1, for jitter. */
  readonly random: () => number;
  readonly schedule: Schedule;
  /** How many deliveries of this tenant may wait before nothing more of it is accepted. */
  readonly maxPending: (tenant: string) => number;
  /** Requests in flight over all lanes. */
  readonly maxInFlight: number;
  /** Requests in flight to one registration. */
  readonly laneConcurrency: number;
  /** Characters of payload that lanes hold in memory, over all lanes. */
  readonly windowBytes: number;
  /** What deliveries are ordered by where a registration asks for it. */
  readonly subjectsOf: SubjectsOf;
  /** Counts what was accepted and written. */
  readonly tally: Pick<Tally, 'published' | 'matched' | 'settled'>;
  /** Called after each attempt, before it is written. */
  readonly onAttempt: (
    registration: Registration,
    delivery: Delivery,
    attempt: MadeAttempt,
  ) => void;
  /** When endpoints that only fail are switched off; null for never. */
  readonly switchOffRule: SwitchOffRule | null;
  /**
   * Switches a registration off, for an endpoint that answered 410 or failed too long. Resolves when
   * that is durable, true unless it was off before; false when it failed.
   */
  readonly switchOff: (registration: Registration, reason: string) => Promise<boolean>;
  /** Told of endpoints that fail, are switched off or are back: by the node that sends to them. */
  readonly onConcern: (concern: Concern) => void;
};

export type RegistrationChange = {
  readonly kind: 'added' | 'changed' | 'removed';
  readonly registration: Registration;
};
