import ipaddr from 'ipaddr.js';
import { AppError } from '../core/errors.ts';

const WINDOW_MS = 60_000;
const MAX_FAILURES = 10;
/** Sources remembered at once; beyond it the oldest are forgotten. */
const MAX_SOURCES = 10_000;

/**
 * Slows down whoever tries keys: after ten failures in a minute an address, and a key wherever it
 * comes from, is refused for the rest of it.
 */
export class FailureLimiter {
  readonly #failures = new Map<string, { count: number; until: number }>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts one more failure, or throws `too_many_requests` when there were too many. */
  failed(address: string, keyDigest: string): void {
    const sources = [networkOf(address), keyDigest];
    const waitMs = Math.max(...sources.map((source) => this.#waitMs(source)));
    if (waitMs > 0) {
      throw new AppError('too_many_requests', 'Too many failed tries. Wait a minute.', {
        retryAfterSeconds: Math.ceil(waitMs / 1000),
      });
    }
    for (const source of sources) this.#count(source);
  }

  /** How many sources are remembered. */
  get size(): number {
    return this.#failures.size;
  }

  #waitMs(source: string): number {
    const failures = this.#failures.get(source);
    return failures === undefined || failures.count < MAX_FAILURES
      ? 0
      : failures.until - this.#now();
  }

  #count(source: string): void {
    const now = this.#now();
    const known = this.#failures.get(source);
    const failures =
      known === undefined || known.until <= now ? { count: 0, until: now + WINDOW_MS } : known;
    failures.count += 1;
    // Put last again, so that the first is the one that was quiet for longest.
    this.#failures.delete(source);
    this.#failures.set(source, failures);
    if (this.#failures.size > MAX_SOURCES) this.#forgetOldest();
  }

  #forgetOldest(): void {
    for (const source of this.#failures.keys()) {
      this.#failures.delete(source);
      return;
    }
  }
}

/** Whoever has one IPv6 address has the 2^64 beside it. */
function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return parsed.toNormalizedString().split(':').slice(0, 4).join(':');
}
