import type { MadeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import { explain } from '../core/explain.ts';
import { judge } from '../core/outcome.ts';
import type { Registration, RegistrationRef } from '../core/registration.ts';
import type { Settlement } from '../store/port.ts';
import type { InFlight } from './in-flight.ts';
import type { Lane } from './lane.ts';
import { succeeds } from './letting-go.ts';
import { nextState } from './next-state.ts';
import type { EngineOptions } from './options.ts';
import type { Settler } from './settler.ts';
import type { Watch } from './watch.ts';
import type { Window } from './window.ts';

/** What is given back is one transaction for so many: others' commits wait no longer than that. */
const GIVEN_BACK_AT_ONCE = 500;

export type AftermathOptions = {
  readonly engine: Pick<
    EngineOptions,
    'store' | 'tally' | 'clock' | 'random' | 'schedule' | 'onAttempt' | 'onConcern'
  >;
  readonly watch: Watch;
  readonly settler: Settler;
  readonly window: Window;
  readonly inFlight: InFlight;
  /** The registration as it is now; undefined when it was deleted. */
  readonly registration: (ref: RegistrationRef) => Registration | undefined;
  /** Its lane, where deliveries may be sent by this node. */
  readonly activeLane: (ref: RegistrationRef) => Lane | undefined;
  /** Has the lane do whatever it can do now. */
  readonly attend: (lane: Lane) => void;
  /** Brings stored deliveries in line with their registration. */
  readonly align: (ref: RegistrationRef) => void;
  /** Sends as long as there are slots. */
  readonly pump: () => void;
};

/** What comes of attempts: lanes learn from them, they are written down, and what they made possible goes on. */
export class Aftermath {
  readonly #options: AftermathOptions;

  constructor(options: AftermathOptions) {
    this.#options = options;
  }

  /** Takes an attempt that is over. */
  take(lane: Lane, delivery: Delivery, attempt: MadeAttempt, wasProbe: boolean): void {
    if (lane.isAbandoned) return;
    const { engine, attend } = this.#options;
    const { clock, random, schedule } = engine;
    const now = clock.now();
    const wasClosed = lane.breaker.state === 'closed';
    lane.learn(attempt, now, random());
    if (wasClosed && lane.breaker.state === 'open') void this.#giveBack(lane);
    const registration = this.#options.registration(lane);
    const next = nextState({
      delivery,
      outcome: attempt.outcome,
      registration,
      breakerOpenUntil: lane.openUntil,
      wasProbe,
      schedule,
      now,
      random: random(),
    });
    engine.onAttempt(lane.registration, delivery, attempt);
    const watched =
      registration === undefined
        ? Promise.resolve()
        : this.#options.watch.take(registration, lane.key, judge(attempt.outcome));
    const { id: deliveryId, tenant, eventId, ordered } = delivery;
    if (next.state === 'exhausted' && registration !== undefined) {
      const { sentence } = explain(attempt.outcome);
      engine.onConcern({ kind: 'exhausted', registration, at: now, deliveryId, eventId, sentence });
    }
    const settlement = { tenant, deliveryId, attempt, next, ordered };
    void this.#settle({ settlement, delivery }, lane, watched);
    attend(lane);
  }

  async #settle(
    { settlement, delivery }: { settlement: Settlement; delivery: Delivery },
    sent: Lane,
    watched: Promise<void>,
  ): Promise<void> {
    const { engine, settler, activeLane, align, pump } = this.#options;
    const moved = await settler.settle(settlement);
    if (moved !== undefined) engine.tally.settled(sent.registration, delivery, settlement, moved);
    if (!sent.isAbandoned) {
      sent.putDown();
      this.#goOn(activeLane(sent), settlement);
    }
    if (!settler.isFull) pump();
    if (sent.isAbandoned) return;
    if (settlement.next.state !== 'held') return;
    await watched;
    // The registration went on before this was written, so nothing else would look for it.
    if (activeLane(sent) !== undefined) align(sent);
  }

  /** The lane learns of what can be sent or claimed now that this is written. */
  #goOn(lane: Lane | undefined, settlement: Settlement): void {
    const { window, inFlight, engine, attend } = this.#options;
    const claimed = inFlight.end(settlement);
    if (lane === undefined) return;
    if (claimed !== undefined) window.enqueue(lane, claimed);
    const { next, ordered } = settlement;
    // What waited behind an ordered one may be claimable now.
    if (ordered) lane.noteDue(engine.clock.now());
    else if (next.state === 'pending') lane.noteDue(next.dueAt);
    else if (claimed === undefined) return;
    attend(lane);
  }

  /**
   * What waits behind an open breaker waits in the store: it must not fill the memory of others. Of
   * a lane that ends meanwhile the rest is the store's already.
   */
  async #giveBack(lane: Lane): Promise<void> {
    const { window, engine, attend } = this.#options;
    const deliveries = window.empty(lane);
    for (let at = 0; at < deliveries.length && !lane.isOver; at += GIVEN_BACK_AT_ONCE) {
      const some = deliveries.slice(at, at + GIVEN_BACK_AT_ONCE);
      const refs = some.map(({ tenant, id }) => ({ tenant, id }));
      const isGiven = await succeeds(engine.store.release(refs));
      if (isGiven) lane.noteDue(engine.clock.now());
      else if (!lane.isOver) for (const one of some) window.enqueue(lane, one);
    }
    if (deliveries.length > 0) attend(lane);
  }
}
