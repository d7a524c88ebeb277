import { MatchIndex } from '../core/match.ts';
import { RefMap } from '../core/ref-map.ts';
import { isActive, type Registration, type RegistrationRef } from '../core/registration.ts';
import { Lane } from './lane.ts';

/** The registrations there are, which of them get an event, and the lanes of those with work. */
export class Roster {
  readonly index: MatchIndex = new MatchIndex();
  readonly #registrations = new RefMap<Registration>();
  readonly #lanes = new RefMap<Lane>();
  readonly #laneConcurrency: number;

  constructor(laneConcurrency: number) {
    this.#laneConcurrency = laneConcurrency;
  }

  get lanes(): Iterable<Lane> {
    return this.#lanes.values();
  }

  get(ref: RegistrationRef): Registration | undefined {
    return this.#registrations.get(ref);
  }

  /** Takes a new or changed registration; gives the one it replaces. */
  put(registration: Registration): Registration | undefined {
    const before = this.#registrations.get(registration);
    this.#registrations.set(registration, registration);
    if (before === undefined) this.index.add(registration);
    else this.index.replace(registration);
    const lane = this.#lanes.get(registration);
    if (lane !== undefined) lane.registration = registration;
    return before;
  }

  /** Nothing is matched to it any more; its lane stays until `removeLane`. */
  remove(registration: Registration): void {
    this.#registrations.delete(registration);
    this.index.remove(registration);
  }

  existingLane(ref: RegistrationRef): Lane | undefined {
    return this.#lanes.get(ref);
  }

  /** Made where there is none. */
  lane(registration: Registration): Lane {
    let lane = this.#lanes.get(registration);
    if (lane === undefined) {
      lane = new Lane(registration, this.#laneConcurrency);
      this.#lanes.set(lane, lane);
    }
    return lane;
  }

  /** The lane of a registration to which deliveries may be sent; made where there is none. */
  activeLane(ref: RegistrationRef): Lane | undefined {
    const registration = this.get(ref);
    return registration !== undefined && isActive(registration)
      ? this.lane(registration)
      : undefined;
  }

  /** Nothing is claimed for it or put into it any more; what it is sending is finished. */
  removeLane(ref: RegistrationRef): Lane | undefined {
    const lane = this.existingLane(ref);
    if (lane !== undefined) lane.isOver = true;
    this.#lanes.delete(ref);
    return lane;
  }

  sweepIdleLanes(): void {
    for (const lane of this.#lanes.values()) if (lane.isIdle()) this.removeLane(lane);
  }
}
