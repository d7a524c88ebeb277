import { CLOSED_BREAKER, type Breaker, breakerAfter, mayTry } from '../core/breaker.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Attempt } from '../core/attempt.ts';
import { judge } from '../core/outcome.ts';
import { CALM, type Ramp, newRamp, rampAfter } from '../core/ramp.ts';
import { type Registration, isActive, registrationKey } from '../core/registration.ts';
import { Fifo } from './fifo.ts';

/** At most this many deliveries of one lane wait in memory; the rest waits in the store. */
export const LANE_WINDOW = 1024;
/** And at most so many for each request it may have in flight: an endpoint that never did well holds little memory. */
const WINDOW_PER_REQUEST = 32;
/** Deliveries of what lies in the past that join it at once, for each request it may have in flight, up to `CALM`. */
export const PAST_PER_REQUEST = 4;
/** Between requests to an endpoint that never took one: anybody can register anybody's address. */
const UNPROVEN_REST_MS = 1000;

/** A registration's place in the engine: its queue, its concurrency, its circuit breaker. */
export class Lane {
  readonly tenant: string;
  readonly id: string;
  /** Tells lanes apart: ids are unique within their tenant only. */
  readonly key: string;
  registration: Registration;
  /** Leased deliveries that wait for their turn. */
  readonly queue: Fifo<Delivery> = new Fifo();
  inFlight = 0;
  /** Deliveries being sent or written down. */
  inHand = 0;
  /** True when there is no such lane any more. */
  isOver = false;
  /** True when what it had is another node's: nothing of it is written any more. */
  isAbandoned = false;
  #whenEmpty: (() => void)[] = [];
  /** Places in the window promised to deliveries whose commit is under way. */
  reserved = 0;
  breaker: Breaker = CLOSED_BREAKER;
  ramp: Ramp;
  /** True once a delivery was taken since this lane was made. */
  #isProven = false;
  /** Nothing is sent before this moment. */
  restsUntil = 0;
  /** When the store next has something for this lane; Infinity when it has nothing, or a claim is under way for all of it. */
  nextDueAt: number = Infinity;
  claiming = false;
  /** True while it waits for its turn in the fair queue. */
  waitsForTurn = false;
  /** The earliest moment for which the timetable will look at this lane again. */
  wakeAt: number = Infinity;

  constructor(registration: Registration, concurrencyLimit: number) {
    this.tenant = registration.tenant;
    this.id = registration.id;
    this.key = registrationKey(registration);
    this.registration = registration;
    this.ramp = newRamp(concurrencyLimit);
  }

  /** Requests that may be in flight now: one in a single file. */
  get concurrency(): number {
    return this.registration.ordering === 'strict' ? 1 : this.ramp.concurrency;
  }

  /** Until when its breaker lets nothing through; null when it is closed. */
  get openUntil(): number | null {
    return this.breaker.state === 'closed' ? null : this.breaker.until;
  }

  /** True when its window holds nothing and nothing is promised to it. */
  get isEmpty(): boolean {
    return this.queue.length === 0 && this.reserved === 0;
  }

  /** True when a delivery could be sent now. */
  isReady(now: number): boolean {
    return (
      this.queue.length > 0 &&
      this.inFlight < this.concurrency &&
      now >= this.restsUntil &&
      isActive(this.registration) &&
      mayTry(this.breaker, { now, inFlight: this.inFlight })
    );
  }

  /** How many more deliveries the window takes; none while the breaker is open but for the probe. */
  room(): number {
    if (!isActive(this.registration)) return 0;
    return Math.max(0, this.#window - this.queue.length - this.reserved);
  }

  /** True when it takes more at a time than any endpoint may: what was just accepted for it is soon sent. */
  get isQuick(): boolean {
    return this.concurrency > CALM;
  }

  /** True when its window is at most half full: soon enough to be refilled before it runs dry, and for a worthwhile number. */
  get isLow(): boolean {
    return this.queue.length <= this.#window / 2;
  }

  get #window(): number {
    if (this.breaker.state !== 'closed') return 1;
    return Math.min(LANE_WINDOW, this.ramp.concurrency * WINDOW_PER_REQUEST);
  }

  /** True when older deliveries wait in the store, so that new ones queue up behind them there. */
  isBehind(now: number): boolean {
    return this.nextDueAt <= now;
  }

  /** How many deliveries of what lies in the past it could do next to nothing: a few for each request. */
  roomForPast(now: number): number {
    const rests = Math.max(this.openUntil ?? 0, this.restsUntil) > now;
    const waiting = this.queue.length + this.reserved;
    const requests = Math.min(this.concurrency, CALM);
    if (rests || this.claiming || this.isBehind(now) || waiting > requests) return 0;
    return PAST_PER_REQUEST * requests;
  }

  /** Learns that the store has a delivery due at `at`. */
  noteDue(at: number): void {
    if (at < this.nextDueAt) this.nextDueAt = at;
  }

  /** Learns from an attempt; `jitter` is a random number from 0 to 1. */
  learn(attempt: Pick<Attempt, 'outcome' | 'durationMs'>, now: number, jitter: number): void {
    const delivered = judge(attempt.outcome) === 'delivered';
    this.ramp = rampAfter(this.ramp, attempt);
    this.breaker = breakerAfter(this.breaker, { ok: delivered, now, random: jitter });
    this.#isProven ||= delivered;
    this.restsUntil = this.#isProven ? 0 : now + UNPROVEN_REST_MS;
    // An endpoint that comes back is ramped up to, however well it did before.
    if (this.breaker.state === 'open') this.ramp = newRamp(this.ramp.limit);
  }

  /** One delivery less is in hand. */
  putDown(): void {
    this.inHand -= 1;
    if (this.inHand > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /** Resolves when nothing is being sent or written down. */
  whenNothingInHand(): Promise<void> {
    if (this.inHand === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** True when nothing would be lost by forgetting this lane. */
  isIdle(): boolean {
    return (
      this.isEmpty &&
      this.inHand === 0 &&
      !this.claiming &&
      this.nextDueAt === Infinity &&
      this.breaker.state === 'closed' &&
      this.breaker.failures === 0
    );
  }
}
