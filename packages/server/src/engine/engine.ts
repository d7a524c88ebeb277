import type { Attempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Id } from '../core/id.ts';
import type { Breaker } from '../core/breaker.ts';
import { judge } from '../core/outcome.ts';
import {
  type Registration,
  isActive,
  registrationKey,
  type RegistrationRef,
} from '../core/registration.ts';
import type { Backlog, Settlement } from '../store/port.ts';
import { Acceptor, type AcceptAnswer, type AcceptRequest } from './acceptor.ts';
import { Claimer } from './claimer.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import { Mover } from './mover.ts';
import { nextState } from './next-state.ts';
import type { EngineOptions, RegistrationChange } from './options.ts';
import { Roster } from './roster.ts';
import { Window } from './window.ts';
import { Settler } from './settler.ts';
import { sendAttempt } from './sender.ts';

const IDLE_LANES_SWEPT_EVERY_MS = 60_000;
/** Moves work between store and egress: accepts, sends, settles, claims. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #roster: Roster;
  readonly #window: Window;
  readonly #sending = new Set<Id>();
  /** Claimed before it was known here that their last attempt is written. */
  readonly #claimedEarly = new Map<Id, Delivery>();
  readonly #acceptor: Acceptor;
  readonly #dispatcher: Dispatcher;
  readonly #claimer: Claimer;
  readonly #mover: Mover;
  readonly #settler: Settler;
  #stopping = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#roster = new Roster(options.laneConcurrency);
    this.#window = new Window(options.windowBytes);
    const { store, clock } = options;
    const now = clock.now;
    this.#settler = new Settler(store);
    this.#dispatcher = new Dispatcher({
      maxInFlight: options.maxInFlight,
      now,
      send: (registration, delivery) => sendAttempt(options, registration, delivery),
      onAttempt: this.#onAttempt,
      mayDispatch: () => !this.#settler.isFull,
      onSend: this.#onSend,
    });
    this.#claimer = new Claimer({
      store: { claim: (lanes, at) => this.#withSettlements(store.claim(lanes, at)) },
      now,
      window: this.#window,
      onClaimed: (lane, deliveries) => this.#onClaimed(lane, deliveries),
      onWake: (lane) => this.#attend(lane),
    });
    this.#mover = new Mover({ store, now, onResumed: (ref) => this.wake(ref) });
    this.#acceptor = new Acceptor({
      store: { accept: (batch) => this.#withSettlements(store.accept(batch)) },
      index: this.#roster.index,
      now,
      subjectsOf: options.subjectsOf,
      reserve: (registration, delivery) => this.#reserve(registration, delivery),
      onCommitted: (registration, delivery, leased) =>
        this.#onCommitted(registration, delivery, leased),
      onDropped: (registration, delivery) => this.#onDropped(registration, delivery),
    });
  }

  /** Requests in flight now. */
  get inFlight(): number {
    return this.#dispatcher.inFlight;
  }

  /** Takes over what an earlier run left: nothing that was pending is forgotten. */
  async start(registrations: readonly Registration[]): Promise<void> {
    for (const registration of registrations) this.#know(registration);
    const { pending, held, ordered } = await this.#options.store.recover();
    for (const { tenant, registrationId: id } of ordered) this.#unorderUnlessWanted({ tenant, id });
    for (const backlog of pending) this.#takeOver(backlog);
    for (const { tenant, registrationId: id } of held) this.align({ tenant, id });
    this.#sweep = setInterval(() => this.#roster.sweepIdleLanes(), IDLE_LANES_SWEPT_EVERY_MS);
    this.#sweep.unref();
  }

  /** Resolves once the events and all of their deliveries are durable. */
  accept(request: AcceptRequest): Promise<AcceptAnswer> {
    return this.#acceptor.accept(request);
  }

  /**
   * Matching, lanes and waiting deliveries follow the registration from now on. After a removal
   * only matching stops: call `align` once the removal is durable.
   */
  onRegistration({ kind, registration }: RegistrationChange): void {
    if (kind !== 'removed') return this.#know(registration);
    this.#roster.remove(registration);
  }

  /** Brings the stored deliveries of this registration in line with it, in the background. */
  align(ref: RegistrationRef): void {
    const registration = this.#roster.get(ref);
    if (registration === undefined) this.#removeLane(ref);
    this.#mover.follow(ref, registration);
  }

  /** Looks for due deliveries of this registration now. */
  wake(ref: RegistrationRef): void {
    const registration = this.#roster.get(ref);
    if (registration === undefined) return;
    const lane = this.#roster.lane(registration);
    lane.noteDue(this.#options.clock.now());
    this.#attend(lane);
  }

  /** True while an attempt of this delivery is under way. */
  isSending(id: Id): boolean {
    return this.#sending.has(id);
  }

  /** Takes a waiting delivery out of its lane's window; the store decides what becomes of it. */
  drop(ref: RegistrationRef, deliveryId: Id): void {
    this.#window.remove(this.#roster.existingLane(ref), deliveryId);
  }

  /** Finishes what is in flight, writes it down, and starts nothing new. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#sweep);
    await Promise.all([this.#claimer.stop(), this.#dispatcher.stop(), this.#mover.stop()]);
    await this.#acceptor.idle();
    await this.#settler.stop();
  }

  #know(registration: Registration): void {
    const before = this.#roster.put(registration);
    if (before?.ordering !== undefined) this.#unorderUnlessWanted(registration);
    if (before === undefined || isActive(before) === isActive(registration)) return;
    const lane = this.#roster.existingLane(registration);
    if (!isActive(registration) && lane !== undefined) this.#window.empty(lane);
    this.align(registration);
  }

  /** Those that waited for others because of an order that is no longer wanted go on. */
  #unorderUnlessWanted(ref: RegistrationRef): void {
    const registration = this.#roster.get(ref);
    if (registration !== undefined && registration.ordering === undefined) this.#mover.unorder(ref);
  }

  #takeOver({ tenant, registrationId: id, nextDueAt }: Backlog): void {
    const registration = this.#roster.get({ tenant, id });
    if (registration === undefined || !isActive(registration)) return this.align({ tenant, id });
    const lane = this.#roster.lane(registration);
    lane.noteDue(nextDueAt);
    this.#claimer.consider(lane);
  }

  /** Whatever the lane can do now it does, and it is looked at again when it may send after a rest or as a probe. */
  #attend(lane: Lane): void {
    const mayAt = Math.max(openUntil(lane.breaker) ?? 0, lane.restsUntil);
    if (mayAt > this.#options.clock.now()) this.#claimer.wakeAt(lane, mayAt);
    this.#dispatcher.consider(lane);
    this.#claimer.consider(lane);
  }

  #removeLane(ref: RegistrationRef): void {
    const lane = this.#roster.existingLane(ref);
    if (lane !== undefined) this.#window.empty(lane);
    this.#roster.removeLane(ref);
    this.#options.egress.forget(registrationKey(ref));
  }

  #reserve(registration: Registration, delivery: Delivery): boolean {
    if (this.#stopping || this.#window.isFull) return false;
    const lane = this.#roster.lane(registration);
    if (lane.isBehind(this.#options.clock.now()) || lane.room() === 0) return false;
    this.#window.promise(lane, delivery);
    return true;
  }

  #onCommitted(registration: Registration, delivery: Delivery, leased: boolean): void {
    if (leased) this.#onDropped(registration, delivery);
    const lane = this.#roster.activeLane(registration);
    if (lane === undefined) return;
    if (leased) {
      this.#window.enqueue(lane, delivery);
      this.#dispatcher.consider(lane);
    } else {
      lane.noteDue(this.#options.clock.now());
      this.#claimer.consider(lane);
    }
  }

  #onDropped(registration: Registration, delivery: Delivery): void {
    this.#window.release(this.#roster.existingLane(registration), delivery);
  }

  #onClaimed(lane: Lane, deliveries: readonly Delivery[]): void {
    if (!isActive(lane.registration) || this.#roster.existingLane(lane) !== lane) return;
    for (const delivery of deliveries) {
      if (this.#sending.has(delivery.id)) this.#claimedEarly.set(delivery.id, delivery);
      else this.#window.enqueue(lane, delivery);
    }
    this.#dispatcher.consider(lane);
  }

  readonly #onSend = (_lane: Lane, delivery: Delivery): void => {
    this.#window.left(delivery);
    this.#sending.add(delivery.id);
  };

  readonly #onAttempt = (
    lane: Lane,
    delivery: Delivery,
    attempt: Attempt,
    wasProbe: boolean,
  ): void => {
    const { clock, random, schedule } = this.#options;
    const now = clock.now();
    const wasClosed = lane.breaker.state === 'closed';
    lane.learn(attempt.outcome, now, random());
    if (wasClosed && lane.breaker.state === 'open') void this.#giveBack(lane);
    const registration = this.#roster.get(lane);
    const next = nextState({
      delivery,
      outcome: attempt.outcome,
      registration,
      breakerOpenUntil: openUntil(lane.breaker),
      wasProbe,
      schedule,
      now,
      random: random(),
    });
    this.#options.onAttempt(lane.registration, delivery, attempt);
    const isGone = registration !== undefined && judge(attempt.outcome) === 'gone';
    const switchedOff = isGone ? this.#options.onGone(registration) : Promise.resolve();
    const { id: deliveryId, tenant, ordered } = delivery;
    void this.#settle({ tenant, deliveryId, attempt, next, ordered }, lane, switchedOff);
    this.#attend(lane);
  };

  /** What has been handed to the store in this turn shares its commit with what was settled. */
  #withSettlements<T>(written: Promise<T>): Promise<T> {
    this.#settler.flush();
    return written;
  }

  async #settle(
    settlement: Settlement,
    ref: RegistrationRef,
    switchedOff: Promise<void>,
  ): Promise<void> {
    await this.#settler.settle(settlement);
    const { deliveryId, next, ordered } = settlement;
    this.#sending.delete(deliveryId);
    const lane = this.#roster.activeLane(ref);
    this.#takeUp(lane, settlement);
    if (lane !== undefined && (ordered || next.state === 'pending')) {
      // What waited behind an ordered one may be claimable now.
      lane.noteDue(next.state === 'pending' && !ordered ? next.dueAt : this.#options.clock.now());
      this.#claimer.consider(lane);
    }
    if (!this.#settler.isFull) this.#dispatcher.pump();
    if (next.state !== 'held') return;
    await switchedOff;
    // The registration went on before this was written, so nothing else would look for it.
    if (this.#roster.activeLane(ref) !== undefined) this.align(ref);
  }

  /** A claim of what was in flight counts when it saw what that attempt came to; else the attempt has freed it. */
  #takeUp(lane: Lane | undefined, { deliveryId, attempt }: Settlement): void {
    const claimed = this.#claimedEarly.get(deliveryId);
    this.#claimedEarly.delete(deliveryId);
    if (lane === undefined || claimed === undefined || claimed.attempts < attempt.number) return;
    this.#window.enqueue(lane, claimed);
    this.#dispatcher.consider(lane);
  }

  /** What waits behind an open breaker waits in the store: it must not fill the memory of others. */
  async #giveBack(lane: Lane): Promise<void> {
    const deliveries = this.#window.empty(lane);
    if (deliveries.length === 0) return;
    try {
      await this.#options.store.release(deliveries.map(({ tenant, id }) => ({ tenant, id })));
      lane.noteDue(this.#options.clock.now());
    } catch {
      if (this.#roster.activeLane(lane) === lane)
        for (const one of deliveries) this.#window.enqueue(lane, one);
    }
    this.#attend(lane);
  }
}

function openUntil(breaker: Breaker): number | null {
  return breaker.state === 'closed' ? null : breaker.until;
}
