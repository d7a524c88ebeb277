import { AppError } from '../core/errors.ts';

const WINDOW_MS = 60_000;
const MAX_FAILURES = 10;
/** Sources remembered at once; beyond it the oldest are forgotten. */
const MAX_SOURCES = 10_000;

/** Slows down whoever tries keys: after ten failures in a minute a source is refused for the rest of it. */
export class FailureLimiter {
  readonly #failures = new Map<string, { count: number; until: number }>();

  /** Throws `too_many_requests` when the source has failed too often. */
  refuseAfterMany(source: string): void {
    const failures = this.#failures.get(source);
    if (failures === undefined || failures.count < MAX_FAILURES) return;
    const waitMs = failures.until - performance.now();
    if (waitMs <= 0) {
      this.#failures.delete(source);
      return;
    }
    throw new AppError('too_many_requests', 'Too many failed tries with this key. Wait a minute.', {
      retryAfterSeconds: Math.ceil(waitMs / 1000),
    });
  }

  failed(source: string): void {
    const now = performance.now();
    const known = this.#failures.get(source);
    const failures =
      known === undefined || known.until <= now ? { count: 0, until: now + WINDOW_MS } : known;
    failures.count += 1;
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
