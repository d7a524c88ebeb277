import {
  heldReason,
  isActive,
  type Registration,
  type RegistrationRef,
} from '../core/registration.ts';
import type { Move, Store } from '../store/port.ts';
import type { Waiting } from './waiting.ts';

/** Rows moved in one transaction: small enough that commits of deliveries hardly wait. */
const MOVE_STEP = 500;
const RETRY_AFTER_FAILURE_MS = 1000;

export type MoverOptions = {
  readonly store: Pick<Store, 'move' | 'unorder'>;
  readonly now: () => number;
  readonly waiting: Pick<Waiting, 'moved'>;
  /** Called when deliveries of a registration became pending or claimable again. */
  readonly onResumed: (ref: RegistrationRef) => void;
};

type Course = Pick<Move, 'from' | 'to' | 'reason'>;

/**
 * Brings the deliveries of a registration in line with it: held while it is paused or switched
 * off, cancelled when it was deleted, pending when it is active. Works in small steps and one
 * registration after another; what a stop interrupts, the next start finds and goes on with.
 */
export class Mover {
  readonly #options: MoverOptions;
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Deliveries follow the registration as it is now; undefined when it was deleted. */
  follow(owner: RegistrationRef, registration: Registration | undefined): void {
    this.#last = this.#last.then(() => this.#align(owner, registration));
  }

  /** Takes the order from the deliveries of this registration. */
  unorder(owner: RegistrationRef): void {
    this.#last = this.#last.then(() => this.#unorder(owner));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
  }

  async #align(owner: RegistrationRef, registration: Registration | undefined): Promise<void> {
    if (registration === undefined) {
      const reason = 'registration deleted';
      await this.#moveAll(owner, { from: 'pending', to: 'cancelled', reason });
      await this.#moveAll(owner, { from: 'held', to: 'cancelled', reason });
    } else if (isActive(registration)) {
      await this.#moveAll(owner, { from: 'held', to: 'pending', reason: null });
      this.#options.onResumed(owner);
    } else {
      const reason = heldReason(registration);
      await this.#moveAll(owner, { from: 'pending', to: 'held', reason });
    }
  }

  async #unorder(owner: RegistrationRef): Promise<void> {
    const step = (): Promise<boolean> =>
      this.#options.store.unorder(owner.tenant, owner.id, MOVE_STEP);
    while (!this.#stopped && (await this.#persist(step, true)));
    this.#options.onResumed(owner);
  }

  async #moveAll(owner: RegistrationRef, course: Course): Promise<void> {
    while (!this.#stopped) {
      const moved = await this.#moveStep(owner, course);
      if (moved < MOVE_STEP) return;
    }
  }

  async #moveStep(owner: RegistrationRef, course: Course): Promise<number> {
    const place = { tenant: owner.tenant, registrationId: owner.id };
    const now = this.#options.now();
    const move = { ...place, ...course, now, limit: MOVE_STEP };
    const step = async (): Promise<number> => {
      const moved = await this.#options.store.move(move);
      this.#options.waiting.moved(owner.tenant, course.from, course.to, moved);
      return moved;
    };
    return this.#persist(step, MOVE_STEP);
  }

  /** Where the store fails it waits, and answers as if there were more to do. */
  async #persist<T>(step: () => Promise<T>, more: T): Promise<T> {
    try {
      return await step();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_FAILURE_MS));
      return more;
    }
  }
}
