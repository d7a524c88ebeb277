import type { Delivery } from '../core/delivery.ts';
import type { Lane } from './lane.ts';

/** What a waiting delivery costs besides its payload. */
const DELIVERY_OVERHEAD_BYTES = 600;
const ORDINARY_DELIVERY_BYTES = 2000;

/** What lanes hold in memory, over all lanes: every way in and out of their queues is counted here. */
export class Window {
  readonly #limit: number;
  #bytes = 0;

  /** `limit`: characters of payload and some for each delivery. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.#bytes > this.#limit;
  }

  /**
   * True when what was just accepted for this lane may wait in memory. A quick endpoint may go beyond
   * the lane's own window while half of this one is free: reading back costs more than keeping.
   */
  takes(lane: Lane, now: number): boolean {
    if (lane.isBehind(now)) return false;
    if (lane.isQuick && this.#bytes < this.#limit / 2) return true;
    // What a claim is to bring may take all the room there is.
    return !lane.claiming && lane.room() > 0;
  }

  /** How many deliveries of ordinary size still fit. */
  budget(): number {
    return this.#fitting(this.#limit);
  }

  /** The same for lanes that have nothing, for whom there is as much again. */
  reserve(): number {
    return this.#fitting(2 * this.#limit);
  }

  /** Promises a place to a delivery whose commit is under way. */
  promise(lane: Lane, delivery: Delivery): void {
    lane.reserved += 1;
    this.#bytes += weight(delivery);
  }

  /** Takes the promise back; the lane may be gone by now. */
  release(lane: Lane | undefined, delivery: Delivery): void {
    if (lane !== undefined && lane.reserved > 0) lane.reserved -= 1;
    this.#bytes -= weight(delivery);
  }

  enqueue(lane: Lane, delivery: Delivery): void {
    lane.queue.push(delivery);
    this.#bytes += weight(delivery);
  }

  /** Called as a delivery leaves its queue to be sent. */
  left(delivery: Delivery): void {
    this.#bytes -= weight(delivery);
  }

  /** Takes one delivery out, if it waits there; false when it does not. */
  remove(lane: Lane | undefined, deliveryId: string): boolean {
    const removed = lane?.queue.remove((delivery) => delivery.id === deliveryId);
    if (removed !== undefined) this.left(removed);
    return removed !== undefined;
  }

  /** Takes everything out, oldest first. */
  empty(lane: Lane): readonly Delivery[] {
    const deliveries = lane.queue.drain();
    for (const delivery of deliveries) this.left(delivery);
    return deliveries;
  }

  #fitting(limit: number): number {
    return Math.floor((limit - this.#bytes) / ORDINARY_DELIVERY_BYTES);
  }
}

function weight(delivery: Delivery): number {
  let bytes = DELIVERY_OVERHEAD_BYTES;
  for (const text of delivery.notifications) bytes += text.length;
  return bytes;
}
