import type { MadeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Registration } from '../core/registration.ts';
import { FairQueue } from './fair-queue.ts';
import type { Lane } from './lane.ts';

export type DispatcherOptions = {
  /** Requests in flight over all lanes. */
  readonly maxInFlight: number;
  readonly now: () => number;
  /** Called as a delivery leaves its lane's queue. */
  readonly onSend: (lane: Lane, delivery: Delivery) => void;
  /** Makes one attempt; never rejects. */
  readonly send: (registration: Registration, delivery: Delivery) => Promise<MadeAttempt>;
  /** Takes every attempt before its slot is given to another delivery. */
  readonly onAttempt: (
    lane: Lane,
    delivery: Delivery,
    attempt: MadeAttempt,
    wasProbe: boolean,
  ) => void;
  /** False while finished attempts wait for the disk: nothing new is sent then. */
  readonly mayDispatch: () => boolean;
};

/** Requests that are begun in one turn of the event loop: some milliseconds' work. */
const SENT_PER_TURN = 64;

/**
 * Gives the node's slots to lanes, in turns by tenant and then by lane. While other tenants could
 * come, no tenant fills all slots: with n tenants at work one may hold its share of n + 1.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #turns = new FairQueue<Lane>();
  readonly #inFlightByTenant = new Map<string, number>();
  #inFlight = 0;
  #stopped = false;
  #idle: (() => void) | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Queues the lane for a turn if it has something to send, and sends soon. */
  consider(lane: Lane): void {
    this.#queueTurn(lane, this.#options.now());
    this.pump();
  }

  /**
   * Sends what there is room for, once this turn of the event loop is over: whoever published is
   * answered first, and lanes that became ready together take turns.
   */
  pump(): void {
    this.#turn ??= setImmediate(this.#send);
  }

  /** Sends as long as there are slots and lanes that may use them, but lets others have the event loop between. */
  readonly #send = (): void => {
    this.#turn = undefined;
    const { maxInFlight, mayDispatch } = this.#options;
    const now = this.#options.now();
    for (let sent = 0; this.#inFlight < maxInFlight && !this.#stopped && mayDispatch(); sent += 1) {
      if (sent === SENT_PER_TURN) return this.pump();
      const lane = this.#turns.take(this.#mayHaveTurn);
      if (lane === undefined) return;
      lane.waitsForTurn = false;
      this.#sendNext(lane, now);
    }
  };

  /** Sends nothing new; resolves when no attempt is in flight. */
  stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#turn);
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  #queueTurn(lane: Lane, now: number): void {
    if (lane.waitsForTurn || !lane.isReady(now)) return;
    lane.waitsForTurn = true;
    this.#turns.add(lane);
  }

  readonly #mayHaveTurn = (tenant: string): boolean => {
    const held = this.#inFlightByTenant.get(tenant) ?? 0;
    if (held === 0) return true;
    return held < this.#options.maxInFlight / (this.#inFlightByTenant.size + 1);
  };

  #sendNext(lane: Lane, now: number): void {
    if (!lane.isReady(now)) return;
    const delivery = lane.queue.shift();
    if (delivery === undefined) return;
    const wasProbe = lane.breaker.state !== 'closed';
    this.#takeSlot(lane);
    this.#options.onSend(lane, delivery);
    this.#queueTurn(lane, now);
    void this.#options.send(lane.registration, delivery).then((attempt) => {
      this.#freeSlot(lane);
      this.#options.onAttempt(lane, delivery, attempt, wasProbe);
      this.consider(lane);
      if (this.#inFlight === 0) this.#idle?.();
    });
  }

  #takeSlot(lane: Lane): void {
    this.#inFlight += 1;
    lane.inFlight += 1;
    const held = this.#inFlightByTenant.get(lane.tenant) ?? 0;
    this.#inFlightByTenant.set(lane.tenant, held + 1);
  }

  #freeSlot(lane: Lane): void {
    this.#inFlight -= 1;
    lane.inFlight -= 1;
    const held = this.#inFlightByTenant.get(lane.tenant) ?? 0;
    if (held > 1) this.#inFlightByTenant.set(lane.tenant, held - 1);
    else this.#inFlightByTenant.delete(lane.tenant);
  }
}
