import type { Clock } from '../core/clock.ts';
import { type Registration, registrationKey, type RegistrationRef } from '../core/registration.ts';
import { shardOf } from '../core/shard.ts';
import { begunAgain, type Streak, streakAfter } from '../core/streak.ts';
import type { Store, StreakChange, StreakOf } from '../store/port.ts';

const WRITTEN_EVERY_MS = 60_000;

/**
 * How long and how often endpoints have failed, of those that fail: kept in memory, written down
 * once a minute for the next start. A crash forgets a minute of failures at most.
 */
export class Streaks {
  readonly #store: Pick<Store, 'streaks' | 'putStreaks'>;
  readonly #clock: Clock;
  readonly #streaks = new Map<string, StreakOf>();
  /** What differs from what is written down. */
  #changed = new Map<string, StreakChange>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: Pick<Store, 'streaks' | 'putStreaks'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#write(), WRITTEN_EVERY_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  /** Takes over what is known of these shards. */
  async load(shards: readonly number[]): Promise<void> {
    for (const each of await this.#store.streaks(shards))
      this.#streaks.set(registrationKey(each), each);
  }

  /** Writes down what is known of these shards, and forgets it: they are another node's now. */
  async leave(shards: ReadonlySet<number>): Promise<void> {
    await this.#write();
    for (const each of this.#streaks.values()) if (shards.has(shardOf(each))) this.forget(each);
  }

  /** Forgets everything: others have it. */
  clear(): void {
    this.#streaks.clear();
    this.#changed.clear();
  }

  /** One more failure. What its holder changed is judged anew. */
  failed(registration: Registration): Streak {
    const key = registrationKey(registration);
    const now = this.#clock.now();
    let before = this.#streaks.get(key)?.streak;
    if (before !== undefined && before.since < registration.updatedAt)
      before = begunAgain(before.wasOff, now);
    const streak = streakAfter(before, now);
    this.put(registration, streak);
    return streak;
  }

  /** It took a delivery: the streak that this ends. `key`: that of the registration. */
  delivered(key: string): Streak | undefined {
    const ended = this.#streaks.get(key);
    if (ended === undefined) return undefined;
    this.#streaks.delete(key);
    this.#changed.set(key, { ...ended, streak: null });
    return ended.streak;
  }

  put({ tenant, id }: RegistrationRef, streak: Streak): void {
    const key = registrationKey({ tenant, id });
    this.#streaks.set(key, { tenant, id, streak });
    this.#changed.set(key, { tenant, id, streak });
  }

  /** It is nobody's, or another node's. */
  forget(ref: RegistrationRef): void {
    const key = registrationKey(ref);
    this.#streaks.delete(key);
    this.#changed.delete(key);
  }

  /** What fails is written the next time. */
  async #write(): Promise<void> {
    const changed = this.#changed;
    if (changed.size === 0) return;
    this.#changed = new Map();
    try {
      await this.#store.putStreaks([...changed.values()]);
    } catch {
      this.#changed = new Map([...changed, ...this.#changed]);
    }
  }
}
