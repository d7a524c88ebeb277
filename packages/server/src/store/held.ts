import type { Id } from '../core/id.ts';
import type { RegistrationRef } from '../core/registration.ts';

/** A held delivery, with what it carries. */
export type HeldDelivery = {
  readonly id: Id;
  readonly actions: readonly string[];
  readonly notifications: readonly string[];
};

/** `next`: the id below which to go on; null when there is nothing below. */
export type HeldPage = { readonly items: readonly HeldDelivery[]; readonly next: Id | null };

export type HeldCancellation = {
  readonly ids: readonly Id[];
  readonly reason: string;
  readonly now: number;
};

/** What is held for a registration that is not active. */
export interface HeldStore {
  /** Some of them, newest first: fewer than there are where they are many or large. */
  held(ref: RegistrationRef, before: Id | null): Promise<HeldPage>;
  /** Cancels those of these deliveries that are held still; how many. */
  cancelHeld(ref: RegistrationRef, cancellation: HeldCancellation): Promise<number>;
}
