import type { Clock } from '../core/clock.ts';
import { backlogGrowing, keyExpiring, type Warning } from '../core/warning.ts';
import type { Keys, Tenants } from './library.ts';

export type LookoutOptions = {
  readonly tenants: Pick<Tenants, 'list'>;
  readonly keys: Pick<Keys, 'list'>;
  /** Deliveries of a tenant that wait. */
  readonly waiting: (tenant: string) => number;
  readonly clock: Clock;
  readonly warn: (warning: Warning) => void;
};

const LOOKS_EVERY_MS = 10 * 60_000;
const LOOKS_AN_HOUR = 6;
/** Less than this is no backlog, whatever it was before. */
const LEAST_BACKLOG = 1000;
const GROWN_BY = 2;
const KEY_WARNED_AHEAD_MS = 7 * 86_400_000;

/** Looks from time to time for what no event tells: keys about to expire, and backlogs that grow. */
export class Lookout {
  readonly #options: LookoutOptions;
  /** What waited at the last looks, the oldest first. */
  readonly #looks: Map<string, number>[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LookoutOptions) {
    this.#options = options;
  }

  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOKS_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const anHourAgo = this.#looks.length === LOOKS_AN_HOUR ? this.#looks.shift() : undefined;
    const waiting = new Map<string, number>();
    for (const { id: tenant } of this.#options.tenants.list()) {
      this.#lookAtKeys(tenant);
      const now = this.#options.waiting(tenant);
      waiting.set(tenant, now);
      const before = anHourAgo?.get(tenant) ?? now;
      if (now >= LEAST_BACKLOG && now >= before * GROWN_BY)
        this.#options.warn(backlogGrowing(tenant, now, before));
    }
    this.#looks.push(waiting);
  }

  #lookAtKeys(tenant: string): void {
    const now = this.#options.clock.now();
    for (const { id, name, expiresAt } of this.#options.keys.list(tenant)) {
      if (expiresAt === null || expiresAt <= now || expiresAt > now + KEY_WARNED_AHEAD_MS) continue;
      this.#options.warn(keyExpiring({ tenant, id, name, expiresAt }));
    }
  }
}
