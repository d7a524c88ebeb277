import type { Delivery } from '../core/delivery.ts';
import type { Id } from '../core/id.ts';
import type { Settlement } from '../store/port.ts';

/** Deliveries that are being sent or written down. */
export class InFlight {
  readonly #sending = new Set<Id>();
  /** Claimed before it was known here that their last attempt is written. */
  readonly #claimedEarly = new Map<Id, Delivery>();

  has(id: Id): boolean {
    return this.#sending.has(id);
  }

  add(id: Id): void {
    this.#sending.add(id);
  }

  /** True when the delivery is in flight: then the claim is kept until its attempt is written. */
  keepsClaim(delivery: Delivery): boolean {
    if (!this.#sending.has(delivery.id)) return false;
    this.#claimedEarly.set(delivery.id, delivery);
    return true;
  }

  /** A claim of what was in flight counts when it saw what that attempt came to; else the attempt has freed it. */
  end({ deliveryId, attempt }: Settlement): Delivery | undefined {
    this.#sending.delete(deliveryId);
    const claimed = this.#claimedEarly.get(deliveryId);
    this.#claimedEarly.delete(deliveryId);
    return claimed === undefined || claimed.attempts < attempt.number ? undefined : claimed;
  }

  clear(): void {
    this.#sending.clear();
    this.#claimedEarly.clear();
  }
}
