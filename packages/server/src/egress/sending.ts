import type { Outcome } from '../core/outcome.ts';
import type { Timed } from './deadlines.ts';
import { Failure } from './failure.ts';
import type { OutboundRequest } from './port.ts';
import type { Target } from './uri.ts';

/** One request on its way, whatever it takes. */
export class Sending implements Timed {
  readonly request: OutboundRequest;
  readonly target: Target;
  /** What runs now, if it can be ended early. */
  running: { abort(failure: Failure): void } | undefined;
  phase: 'connect' | 'response' = 'connect';
  /** Of the connection it is on. */
  certificateEndsAt: number | undefined;
  isOver = false;
  /** The clock of a request that has a time of its own. */
  timer: NodeJS.Timeout | undefined;
  expiresAt = 0;
  before: Timed | undefined;
  behind: Timed | undefined;
  readonly #timeoutMs: number;
  readonly #onOver: (sending: Sending) => void;
  readonly #resolve: (outcome: Outcome) => void;

  /** `onOver` is called exactly once, and then `resolve`. */
  constructor(
    sent: {
      readonly request: OutboundRequest;
      readonly target: Target;
      readonly timeoutMs: number;
    },
    onOver: (sending: Sending) => void,
    resolve: (outcome: Outcome) => void,
  ) {
    this.request = sent.request;
    this.target = sent.target;
    this.#timeoutMs = sent.timeoutMs;
    this.#onOver = onOver;
    this.#resolve = resolve;
  }

  end(outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#onOver(this);
    const { certificateEndsAt } = this;
    const hasNews = certificateEndsAt !== undefined && outcome.kind === 'response';
    this.#resolve(hasNews ? { ...outcome, certificateEndsAt } : outcome);
  }

  cancel(): void {
    this.giveUp({ kind: 'connect_error', code: 'ECONNABORTED' });
  }

  expire(): void {
    this.giveUp({ kind: 'timeout', phase: this.phase, afterMs: this.#timeoutMs });
  }

  /** What has arrived decides: a head that came in time counts, however slow its body is. */
  giveUp(outcome: Outcome): void {
    this.running?.abort(new Failure(outcome));
    this.end(outcome);
  }
}
