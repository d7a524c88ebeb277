import type { Attempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Id } from '../core/id.ts';
import type { Breaker } from '../core/breaker.ts';
import { MatchIndex } from '../core/match.ts';
import { judge } from '../core/outcome.ts';
import {
  type Registration,
  isActive,
  registrationKey,
  type RegistrationRef,
} from '../core/registration.ts';
import type { Acceptance, Backlog, Publication, Settlement } from '../store/port.ts';
import { Acceptor, type AcceptAnswer, type AcceptRequest } from './acceptor.ts';
import { Claimer } from './claimer.ts';
import { Dispatcher } from './dispatcher.ts';
import { Lane } from './lane.ts';
import { Mover } from './mover.ts';
import { isHeldByPause, nextState } from './next-state.ts';
import type { EngineOptions, RegistrationChange } from './options.ts';
import { Settler } from './settler.ts';
import { sendAttempt } from './sender.ts';

const IDLE_LANES_SWEPT_EVERY_MS = 60_000;
/** What a waiting delivery costs besides its payload. */
const DELIVERY_OVERHEAD_BYTES = 600;
const ORDINARY_DELIVERY_BYTES = 2000;

/** Moves work between store and egress: accepts, sends, settles, claims. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #index: MatchIndex = new MatchIndex();
  readonly #registrations = new Map<string, Registration>();
  readonly #lanes = new Map<string, Lane>();
  readonly #sending = new Set<Id>();
  readonly #acceptor: Acceptor;
  readonly #dispatcher: Dispatcher;
  readonly #claimer: Claimer;
  readonly #mover: Mover;
  readonly #settler: Settler;
  #windowBytes = 0;
  #stopping = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
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
      store,
      now,
      budget: () => this.#budget(),
      onClaimed: (lane, deliveries) => this.#onClaimed(lane, deliveries),
      onWake: (lane) => this.#attend(lane),
    });
    this.#mover = new Mover({ store, now, onResumed: (ref) => this.wake(ref) });
    this.#acceptor = new Acceptor({
      store: { accept: (batch) => this.#acceptAndSettle(batch) },
      index: this.#index,
      now,
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
    const { pending, held } = await this.#options.store.recover();
    for (const backlog of pending) this.#takeOver(backlog);
    for (const { tenant, registrationId: id } of held) this.align({ tenant, id });
    this.#sweep = setInterval(() => this.#sweepIdleLanes(), IDLE_LANES_SWEPT_EVERY_MS);
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
    this.#registrations.delete(registrationKey(registration));
    this.#index.remove(registration);
  }

  /** Brings the stored deliveries of this registration in line with it, in the background. */
  align(ref: RegistrationRef): void {
    const registration = this.#registrations.get(registrationKey(ref));
    if (registration === undefined) this.#removeLane(registrationKey(ref));
    this.#mover.follow(ref, registration);
  }

  /** Looks for due deliveries of this registration now. */
  wake(ref: RegistrationRef): void {
    const registration = this.#registrations.get(registrationKey(ref));
    if (registration === undefined) return;
    const lane = this.#lane(registration);
    lane.noteDue(this.#options.clock.now());
    this.#attend(lane);
  }

  /** True while an attempt of this delivery is under way. */
  isSending(id: Id): boolean {
    return this.#sending.has(id);
  }

  /** Takes a waiting delivery out of its lane's window; the store decides what becomes of it. */
  drop(ref: RegistrationRef, deliveryId: Id): void {
    const lane = this.#lanes.get(registrationKey(ref));
    const dropped = lane?.queue.remove((delivery) => delivery.id === deliveryId);
    if (dropped !== undefined) this.#windowBytes -= weight(dropped);
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
    const before = this.#registrations.get(registrationKey(registration));
    this.#registrations.set(registrationKey(registration), registration);
    if (before === undefined) this.#index.add(registration);
    else this.#index.replace(registration);
    const lane = this.#lanes.get(registrationKey(registration));
    if (lane !== undefined) lane.registration = registration;
    if (before === undefined || isActive(before) === isActive(registration)) return;
    if (!isActive(registration) && lane !== undefined) this.#empty(lane);
    this.align(registration);
  }

  #takeOver({ tenant, registrationId: id, nextDueAt }: Backlog): void {
    const registration = this.#registrations.get(registrationKey({ tenant, id }));
    if (registration === undefined || !isActive(registration)) return this.align({ tenant, id });
    const lane = this.#lane(registration);
    lane.noteDue(nextDueAt);
    this.#claimer.consider(lane);
  }

  #lane(registration: Registration): Lane {
    let lane = this.#lanes.get(registrationKey(registration));
    if (lane === undefined) {
      lane = new Lane(registration, this.#options.laneConcurrency);
      this.#lanes.set(lane.key, lane);
    }
    return lane;
  }

  /** Whatever the lane can do now it does, and it is looked at again when its breaker lets a probe through. */
  #attend(lane: Lane): void {
    const probeAt = openUntil(lane.breaker);
    if (probeAt !== null && probeAt > this.#options.clock.now())
      this.#claimer.wakeAt(lane, probeAt);
    this.#dispatcher.consider(lane);
    this.#claimer.consider(lane);
  }

  /** The lane of a registration to which deliveries may be sent; made where there is none. */
  #activeLane(ref: RegistrationRef): Lane | undefined {
    const registration = this.#registrations.get(registrationKey(ref));
    return registration !== undefined && isActive(registration)
      ? this.#lane(registration)
      : undefined;
  }

  #removeLane(key: string): void {
    const lane = this.#lanes.get(key);
    if (lane !== undefined) this.#empty(lane);
    this.#lanes.delete(key);
    this.#options.egress.forget(key);
  }

  #empty(lane: Lane): void {
    for (const delivery of lane.queue.drain()) this.#windowBytes -= weight(delivery);
  }

  /** How many deliveries of ordinary size memory has room for. */
  #budget(): number {
    const free = this.#options.windowBytes - this.#windowBytes;
    return Math.floor(free / ORDINARY_DELIVERY_BYTES);
  }

  #reserve(registration: Registration, delivery: Delivery): boolean {
    if (this.#stopping || this.#windowBytes > this.#options.windowBytes) return false;
    const lane = this.#lane(registration);
    if (lane.isBehind(this.#options.clock.now()) || lane.room() === 0) return false;
    lane.reserved += 1;
    this.#windowBytes += weight(delivery);
    return true;
  }

  #onCommitted(registration: Registration, delivery: Delivery, leased: boolean): void {
    if (leased) this.#onDropped(registration, delivery);
    const lane = this.#activeLane(registration);
    if (lane === undefined) return;
    if (leased) {
      this.#enqueue(lane, delivery);
      this.#dispatcher.consider(lane);
    } else {
      lane.noteDue(this.#options.clock.now());
      this.#claimer.consider(lane);
    }
  }

  #onDropped(registration: Registration, delivery: Delivery): void {
    const lane = this.#lanes.get(registrationKey(registration));
    if (lane !== undefined) lane.reserved -= 1;
    this.#windowBytes -= weight(delivery);
  }

  #onClaimed(lane: Lane, deliveries: readonly Delivery[]): void {
    if (!isActive(lane.registration) || this.#lanes.get(lane.key) !== lane) return;
    for (const delivery of deliveries) {
      if (!this.#sending.has(delivery.id)) this.#enqueue(lane, delivery);
    }
    this.#dispatcher.consider(lane);
  }

  #enqueue(lane: Lane, delivery: Delivery): void {
    lane.queue.push(delivery);
    this.#windowBytes += weight(delivery);
  }

  readonly #onSend = (_lane: Lane, delivery: Delivery): void => {
    this.#windowBytes -= weight(delivery);
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
    lane.learn(attempt.outcome, now, random());
    const registration = this.#registrations.get(lane.key);
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
    void this.#settle({ tenant: lane.tenant, deliveryId: delivery.id, attempt, next }, lane);
    if (registration !== undefined && judge(attempt.outcome) === 'gone')
      this.#options.onGone(registration);
    this.#attend(lane);
  };

  #acceptAndSettle(batch: readonly Publication[]): Promise<readonly Acceptance[]> {
    const accepted = this.#options.store.accept(batch);
    this.#settler.flush();
    return accepted;
  }

  async #settle(settlement: Settlement, ref: RegistrationRef): Promise<void> {
    await this.#settler.settle(settlement);
    const { deliveryId, next } = settlement;
    this.#sending.delete(deliveryId);
    const lane = this.#activeLane(ref);
    if (lane !== undefined && next.state === 'pending') {
      lane.noteDue(next.dueAt);
      this.#claimer.consider(lane);
    }
    // It went on before this was written, so nothing else would look for it.
    if (lane !== undefined && isHeldByPause(next)) this.align(ref);
    if (!this.#settler.isFull) this.#dispatcher.pump();
  }

  #sweepIdleLanes(): void {
    for (const lane of this.#lanes.values()) if (lane.isIdle()) this.#lanes.delete(lane.key);
  }
}

function weight(delivery: Delivery): number {
  let bytes = DELIVERY_OVERHEAD_BYTES;
  for (const text of delivery.notifications) bytes += text.length;
  return bytes;
}

function openUntil(breaker: Breaker): number | null {
  return breaker.state === 'closed' ? null : breaker.until;
}
