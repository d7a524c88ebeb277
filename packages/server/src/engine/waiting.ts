import type { DeliveryState } from '../core/delivery.ts';
import type { Store } from '../store/port.ts';

export type WaitingOptions = {
  readonly store: Pick<Store, 'unfinished'>;
  readonly now: () => number;
  /** How many deliveries of this tenant may wait. */
  readonly maxPending: (tenant: string) => number;
};

/** A tenant that has as much waiting as it may. */
export type OverQuota = {
  readonly tenant: string;
  readonly waiting: number;
  readonly quota: number;
};

type Count = { pending: number; held: number };

const COUNT_EVERY_MS = 60_000;
/** Near a quota the count must be right: others may have sent what was accepted here. */
const NEAR_QUOTA = 0.9;
const COUNT_NEAR_QUOTA_EVERY_MS = 1000;
/** However much waits, counting it takes no more than one part in so many of the time. */
const COUNTING_SHARE = 20;

/**
 * How many deliveries of each tenant wait, pending or held: both fill the disk, and what is held may
 * become pending at any moment. Read from the store at start and once a minute; between, it follows
 * what this node does, so that among many nodes it is about right and soon right again.
 */
export class Waiting {
  readonly #options: WaitingOptions;
  #counts = new Map<string, Count>();
  /** What moved since the store began to count, which its answer may not hold. */
  #since: Map<string, Count> | undefined;
  #counting: Promise<void> | undefined;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  /** Resolves when everything is counted. Where that fails nobody is over a quota until it is made up for. */
  async start(): Promise<void> {
    await this.#count().catch(() => undefined);
    this.#timer = setInterval(() => this.#countAgain(), COUNT_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#notBefore = Infinity;
    await this.#counting?.catch(() => undefined);
  }

  /** Learns that so many deliveries went from one state to another; from null they are new. */
  moved(tenant: string, from: DeliveryState | null, to: DeliveryState | null, by = 1): void {
    const change = { ...NOTHING };
    if (from === 'pending' || from === 'held') change[from] -= by;
    if (to === 'pending' || to === 'held') change[to] += by;
    apply(this.#counts, tenant, change);
    if (this.#since === undefined) return;
    const since = this.#since.get(tenant) ?? NOTHING;
    this.#since.set(tenant, sum(since, change));
  }

  /** Undefined while the tenant may have more. */
  overQuota(tenant: string): OverQuota | undefined {
    const { pending, held } = this.#counts.get(tenant) ?? NOTHING;
    const waiting = pending + held;
    const quota = this.#options.maxPending(tenant);
    if (waiting >= quota * NEAR_QUOTA && this.#options.now() >= this.#notBefore) this.#countAgain();
    return waiting >= quota ? { tenant, waiting, quota } : undefined;
  }

  /** Of one tenant, pending and held. */
  of(tenant: string): number {
    const { pending, held } = this.#counts.get(tenant) ?? NOTHING;
    return pending + held;
  }

  /** Of all tenants. */
  total(): Readonly<Count> {
    const total = { ...NOTHING };
    for (const { pending, held } of this.#counts.values()) {
      total.pending += pending;
      total.held += held;
    }
    return total;
  }

  /** What fails is made up for by the next time. */
  #countAgain(): void {
    if (this.#counting === undefined) void this.#count().catch(() => undefined);
  }

  #count(): Promise<void> {
    this.#counting = this.#read().finally(() => {
      this.#counting = undefined;
      this.#since = undefined;
    });
    return this.#counting;
  }

  async #read(): Promise<void> {
    const { store, now } = this.#options;
    const began = now();
    const since = new Map<string, Count>();
    this.#since = since;
    // Whatever comes of it, the next one is not before this.
    this.#notBefore = Math.max(this.#notBefore, began + COUNT_NEAR_QUOTA_EVERY_MS);
    const counts = new Map<string, Count>();
    for (const { tenant, pending, held } of await store.unfinished())
      counts.set(tenant, { pending, held });
    for (const [tenant, change] of since) apply(counts, tenant, change);
    this.#counts = counts;
    this.#notBefore = Math.max(this.#notBefore, now() + COUNTING_SHARE * (now() - began));
  }
}

const NOTHING: Readonly<Count> = { pending: 0, held: 0 };

function sum(a: Readonly<Count>, b: Readonly<Count>): Count {
  return { pending: a.pending + b.pending, held: a.held + b.held };
}

/** Never less than nothing: what this node sends may have been accepted by another since both counted. */
function apply(counts: Map<string, Count>, tenant: string, change: Readonly<Count>): void {
  const { pending, held } = sum(counts.get(tenant) ?? NOTHING, change);
  counts.set(tenant, { pending: Math.max(0, pending), held: Math.max(0, held) });
}
