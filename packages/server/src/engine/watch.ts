import type { Clock } from '../core/clock.ts';
import type { Concern } from '../core/concern.ts';
import type { Verdict } from '../core/outcome.ts';
import { GONE, isActive, type Registration } from '../core/registration.ts';
import { begunAgain, partToTell, type Streak, type SwitchOffRule } from '../core/streak.ts';
import type { Streaks } from './streaks.ts';

export type WatchOptions = {
  readonly streaks: Streaks;
  readonly clock: Clock;
  /** When endpoints that fail are switched off; null for never. */
  readonly rule: SwitchOffRule | null;
  /** True when this switched it off, and not somebody before. Never rejects. */
  readonly switchOff: (registration: Registration, reason: string) => Promise<boolean>;
  readonly onConcern: (concern: Concern) => void;
};

/** Watches endpoints that fail: tells of them on the way, and switches them off at its end. */
export class Watch {
  readonly #options: WatchOptions;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Learns what an attempt came to. Resolves when all that follows for the registration is done. */
  take(registration: Registration, key: string, verdict: Verdict): Promise<void> {
    if (verdict === 'gone') return this.#switchOff(registration, undefined);
    if (verdict === 'delivered') this.#delivered(registration, key);
    else return this.#failed(registration);
    return DONE;
  }

  /** What was in flight when it was switched off does not switch it on. */
  #delivered(registration: Registration, key: string): void {
    if (registration.switchedOff !== null) return;
    const ended = this.#options.streaks.delivered(key);
    if (ended === undefined || (ended.told === 0 && !ended.wasOff)) return;
    this.#tell(registration, { kind: 'recovered', wasOff: ended.wasOff });
  }

  #failed(registration: Registration): Promise<void> {
    const { streaks, clock, rule } = this.#options;
    if (rule === null) return DONE;
    const streak = streaks.failed(registration);
    const percent = partToTell(streak, rule, clock.now());
    if (percent === undefined || !isActive(registration)) return DONE;
    if (percent === 100) return this.#switchOff(registration, streak);
    streaks.put(registration, { ...streak, told: percent });
    const { failures, since } = streak;
    const switchedOffAt = since + rule.afterMs;
    this.#tell(registration, { kind: 'failing', percent, failures, since, switchedOffAt });
    return DONE;
  }

  /** Where it cannot be written now, the next failure tries again. */
  async #switchOff(registration: Registration, streak: Streak | undefined): Promise<void> {
    const { streaks, clock, switchOff } = this.#options;
    const reason = streak === undefined ? GONE : reasonOf(streak);
    if (!(await switchOff(registration, reason))) return;
    streaks.put(registration, begunAgain(true, clock.now()));
    if (streak === undefined) return this.#tell(registration, { kind: 'gone', reason });
    const { failures, since } = streak;
    this.#tell(registration, { kind: 'switched-off', failures, since, reason });
  }

  #tell(registration: Registration, what: What): void {
    const { clock, onConcern } = this.#options;
    onConcern({ registration, at: clock.now(), ...what });
  }
}

type Without<T, Members extends string> = T extends unknown ? Omit<T, Members> : never;
type What = Without<Concern, 'registration' | 'at'>;

const DONE = Promise.resolve();

function reasonOf({ failures, since }: Streak): string {
  const from = new Date(since).toISOString().slice(0, 16).replace('T', ' ');
  return `endpoint failed ${failures} times in a row since ${from} UTC`;
}
