import type { Id } from './id.ts';
import type { Registration } from './registration.ts';
import type { ToldAt } from './streak.ts';

/** Something about an endpoint that whoever holds its registration wants to know. Told again after a crash at most. */
export type Concern = {
  /** As it was when its endpoint answered. */
  readonly registration: Registration;
  readonly at: number;
} & (
  | {
      /** On the way to being switched off. */
      readonly kind: 'failing';
      readonly percent: ToldAt;
      readonly failures: number;
      readonly since: number;
      /** When it is switched off, unless it takes a delivery before. */
      readonly switchedOffAt: number;
    }
  | {
      /** Its registration was switched off: it failed too long. */
      readonly kind: 'switched-off';
      readonly failures: number;
      readonly since: number;
      readonly reason: string;
    }
  /** Its registration was switched off: it answered 410. */
  | { readonly kind: 'gone'; readonly reason: string }
  /** It took a delivery, after others were told that it fails or was switched off. */
  | { readonly kind: 'recovered'; readonly wasOff: boolean }
  /** One of its deliveries used up its schedule. */
  | {
      readonly kind: 'exhausted';
      readonly deliveryId: Id;
      readonly eventId: Id;
      /** What its last attempt came to. */
      readonly sentence: string;
    }
);
