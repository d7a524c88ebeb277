import type { Delivery } from '../core/delivery.ts';
import type { Id } from '../core/id.ts';
import {
  type Registration,
  isActive,
  registrationKey,
  type RegistrationRef,
} from '../core/registration.ts';
import type { Arrival, Backlog } from '../store/port.ts';
import { Acceptor, type AcceptAnswer, type AcceptRequest } from './acceptor.ts';
import { Aftermath } from './aftermath.ts';
import { Claimer } from './claimer.ts';
import { Dispatcher } from './dispatcher.ts';
import { type Figures, figuresOf } from './figures.ts';
import { InFlight } from './in-flight.ts';
import type { Lane } from './lane.ts';
import { abandon, finish, type Hands } from './letting-go.ts';
import { Mover } from './mover.ts';
import type { EngineOptions, RegistrationChange } from './options.ts';
import { Roster } from './roster.ts';
import { Waiting } from './waiting.ts';
import { Watch } from './watch.ts';
import { Window } from './window.ts';
import { Settler } from './settler.ts';
import { sharingCommits } from './sharing-commits.ts';
import { Shards } from './shards.ts';
import { Streaks } from './streaks.ts';

const IDLE_LANES_SWEPT_EVERY_MS = 60_000;

/** Moves work between store and egress: accepts, sends, settles, claims. */
export class Engine {
  /** How much waits. */
  readonly waiting: Waiting;
  readonly #options: EngineOptions;
  readonly #roster: Roster;
  readonly #window: Window;
  readonly #inFlight = new InFlight();
  readonly #acceptor: Acceptor;
  readonly #dispatcher: Dispatcher;
  readonly #claimer: Claimer;
  readonly #mover: Mover;
  readonly #settler: Settler;
  readonly #aftermath: Aftermath;
  readonly #shards: Shards;
  readonly #streaks: Streaks;
  #stopping = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#roster = new Roster(options.laneConcurrency);
    this.#window = new Window(options.windowBytes);
    const { store, clock, configuration } = options;
    const now = clock.now;
    this.#streaks = new Streaks(store, clock);
    this.waiting = new Waiting({ store, now, maxPending: options.maxPending });
    this.#settler = new Settler(store, this.waiting, now);
    const shared = sharingCommits(store, { settler: this.#settler, configuration });
    this.#dispatcher = new Dispatcher({
      maxInFlight: options.maxInFlight,
      now,
      send: (registration, delivery) => options.sender.send(registration, delivery),
      onAttempt: (...ended) => this.#aftermath.take(...ended),
      mayDispatch: () => !this.#settler.isFull && this.#shards.mayWork(),
      onSend: this.#onSend,
    });
    this.#claimer = new Claimer({
      store: shared,
      now,
      window: this.#window,
      onClaimed: (lane, deliveries) => this.#onClaimed(lane, deliveries),
      onWake: (lane) => this.#attend(lane),
    });
    const { waiting } = this;
    this.#mover = new Mover({ store, now, waiting, onResumed: (ref) => this.wake(ref) });
    this.#shards = this.#newShards();
    this.#aftermath = this.#newAftermath();
    this.#acceptor = new Acceptor({
      store: shared,
      waiting,
      refresh: configuration.refresh,
      index: this.#roster.index,
      now,
      isAlone: () => this.#shards.isAlone(),
      subjectsOf: options.subjectsOf,
      tally: options.tally,
      reserve: (registration, delivery) => this.#reserve(registration, delivery),
      onCommitted: (...committed) => this.#onCommitted(...committed),
      onHeld: (registration) => this.#alignHeld(registration),
      onDropped: (registration, delivery) => this.#onDropped(registration, delivery),
    });
  }

  /** What goes on now, in numbers. */
  figures(): Figures {
    const [{ inFlight }, { waitingCalls }] = [this.#dispatcher, this.#acceptor];
    return { inFlight, waitingCalls, ...figuresOf(this.#roster), waiting: this.waiting.total() };
  }

  /** The shards that this node sends for. */
  shards(): readonly number[] {
    return this.#shards.owned();
  }

  registration(ref: RegistrationRef): Registration | undefined {
    return this.#roster.get(ref);
  }

  /**
   * How many deliveries of what lies in the past may be made for it now: none while its lane has
   * other work, so that they keep nothing waiting for long. Undefined where another node sends.
   */
  room(ref: RegistrationRef): number | undefined {
    if (!this.#shards.owns(ref)) return undefined;
    const lane = this.#shards.mayWork() ? this.#roster.activeLane(ref) : undefined;
    return lane === undefined ? 0 : lane.roomForPast(this.#options.clock.now());
  }

  /** Becomes a node, and takes over what waits in its shards: nothing that was pending is forgotten. */
  async start(registrations: readonly Registration[]): Promise<void> {
    for (const registration of registrations) this.#know(registration);
    await this.waiting.start();
    this.#streaks.start();
    await this.#shards.join();
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
    if (registration === undefined) {
      this.#removeLane(ref);
      this.#streaks.forget(ref);
    }
    if (this.#shards.owns(ref)) this.#mover.follow(ref, registration);
  }

  /** Looks for due deliveries of this registration now, or has the node look that sends for it. Those of one that is not active follow it. */
  wake(ref: RegistrationRef): void {
    if (!this.#shards.owns(ref)) return this.#shards.tell(ref);
    const lane = this.#roster.activeLane(ref);
    if (lane === undefined) return this.align(ref);
    lane.noteDue(this.#options.clock.now());
    this.#attend(lane);
  }

  /** True while an attempt of this delivery is under way. */
  isSending(id: Id): boolean {
    return this.#inFlight.has(id);
  }

  /** Takes a waiting delivery out of its lane's window; the store decides what becomes of it. */
  drop(ref: RegistrationRef, deliveryId: Id): void {
    if (!this.#shards.owns(ref)) return this.#shards.tellToDrop(ref, deliveryId);
    this.#window.remove(this.#roster.existingLane(ref), deliveryId);
  }

  /** The same for one that the caller gives back to the store; false when it does not wait in this node. */
  readonly takeBack = (ref: RegistrationRef, id: Id): boolean =>
    this.#window.remove(this.#roster.existingLane(ref), id);

  /** Finishes what is in flight, writes it down, and starts nothing new. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#sweep);
    await Promise.all([this.#claimer.stop(), this.#dispatcher.stop(), this.#mover.stop()]);
    await this.#acceptor.idle();
    await this.#settler.stop();
    await Promise.all([this.waiting.stop(), this.#streaks.stop()]);
    await this.#shards.leave();
  }

  #newAftermath(): Aftermath {
    return new Aftermath({
      engine: this.#options,
      watch: new Watch({
        ...this.#options,
        rule: this.#options.switchOffRule,
        streaks: this.#streaks,
      }),
      settler: this.#settler,
      window: this.#window,
      inFlight: this.#inFlight,
      registration: (ref) => this.#roster.get(ref),
      activeLane: (ref) => this.#activeLane(ref),
      attend: (lane) => this.#attend(lane),
      align: (ref) => this.align(ref),
      pump: () => this.#dispatcher.pump(),
    });
  }

  #newShards(): Shards {
    const { store, node, configuration } = this.#options;
    const hands = { claimer: this.#claimer, settler: this.#settler, roster: this.#roster };
    const all = (): Hands => ({ ...hands, acceptor: this.#acceptor, removeLane: this.#removeLane });
    return new Shards({
      store,
      node,
      configuration,
      takeOver: (backlog) => this.#takeOver(backlog),
      align: (ref) => this.#alignHeld(ref),
      unorder: (ref) => this.#unorderUnlessWanted(ref),
      attend: (ref) => this.wake(ref),
      arrive: (arrival) => this.#arrive(arrival),
      drop: (ref, id) => this.drop(ref, id),
      load: (shards) => this.#streaks.load(shards),
      finish: async (shards) => {
        await finish(all(), shards);
        await this.#streaks.leave(shards);
      },
      abandon: () => {
        this.#inFlight.clear();
        this.#streaks.clear();
        return abandon(all());
      },
    });
  }

  /** What is held although its registration is active or gone. */
  #alignHeld(ref: RegistrationRef): void {
    const registration = this.#roster.get(ref);
    if (registration === undefined || isActive(registration)) this.align(ref);
  }

  #activeLane(ref: RegistrationRef): Lane | undefined {
    return this.#shards.owns(ref) ? this.#roster.activeLane(ref) : undefined;
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
    if (registration === undefined || !this.#shards.owns(ref)) return;
    if (registration.ordering === undefined) this.#mover.unorder(ref);
  }

  #takeOver({ tenant, registrationId: id, nextDueAt }: Backlog): void {
    const lane = this.#roster.activeLane({ tenant, id });
    if (lane === undefined) return this.align({ tenant, id });
    lane.noteDue(nextDueAt);
    this.#claimer.consider(lane);
  }

  #arrive(arrival: Arrival): void {
    const lane = this.#roster.activeLane(arrival);
    if (lane === undefined || arrival.count === 0) return this.align(arrival);
    this.#claimer.arrive(lane, arrival);
  }

  /** Whatever the lane can do now it does, and it is looked at again when it may send after a rest or as a probe. */
  #attend(lane: Lane): void {
    if (lane.isOver) return;
    const mayAt = Math.max(lane.openUntil ?? 0, lane.restsUntil);
    if (mayAt > this.#options.clock.now()) this.#claimer.wakeAt(lane, mayAt);
    this.#dispatcher.consider(lane);
    this.#claimer.consider(lane);
  }

  readonly #removeLane = (ref: RegistrationRef): void => {
    const lane = this.#roster.removeLane(ref);
    if (lane !== undefined) this.#window.empty(lane);
    this.#options.sender.forget(registrationKey(ref));
  };

  #reserve(registration: Registration, delivery: Delivery): boolean {
    if (this.#stopping || this.#window.isFull || !this.#shards.owns(registration)) return false;
    const lane = this.#roster.lane(registration);
    if (!this.#window.takes(lane, this.#options.clock.now())) return false;
    this.#window.promise(lane, delivery);
    return true;
  }

  #onCommitted(registration: Registration, delivery: Delivery, leased: boolean): void {
    if (leased) this.#onDropped(registration, delivery);
    if (!this.#shards.owns(registration)) return;
    const lane = this.#roster.activeLane(registration);
    // It was changed or removed while this was being written.
    if (lane === undefined) return this.align(registration);
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
    if (!isActive(lane.registration) || lane.isOver) return;
    for (const delivery of deliveries) {
      if (!this.#inFlight.keepsClaim(delivery)) this.#window.enqueue(lane, delivery);
    }
    this.#dispatcher.consider(lane);
  }

  readonly #onSend = (lane: Lane, delivery: Delivery): void => {
    lane.inHand += 1;
    this.#window.left(delivery);
    this.#inFlight.add(delivery.id);
  };
}
