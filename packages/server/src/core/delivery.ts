import type { Id } from './id.ts';

/** See `docs/state-machine.md`. */
export const DELIVERY_STATES = ['pending', 'delivered', 'exhausted', 'held', 'cancelled'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** One event on its way to one registration. Its id is the `Id` in the body of every attempt. */
export type Delivery = {
  readonly id: Id;
  readonly tenant: string;
  readonly eventId: Id;
  readonly registrationId: Id;
  /** The raw JSON texts of the notifications this registration gets, in order. */
  readonly notifications: readonly string[];
  /** Actions of the notifications, in order. */
  readonly actions: readonly string[];
  /** Where the call that published belongs in a trace; left out where it belongs in none. */
  readonly trace?: string;
  /** Attempts made so far. */
  readonly attempts: number;
  /** Steps of the retry schedule used up so far; a probe of an open breaker uses none. */
  readonly step: number;
  /**
   * Its number within its registration: 1, 2, 3 in the order of acceptance. Null until it is
   * accepted, and where nothing is recorded.
   */
  readonly sequence: number | null;
  /** True when others may wait for its end: it has keys by which it is ordered. */
  readonly ordered: boolean;
  /** The delivery that this one repeats; absent where it is the first. */
  readonly replayOf?: Id;
};

/** Separates notification texts in the store: no JSON text can hold this character unescaped. */
export const NOTIFICATION_SEPARATOR = '\u001e';
