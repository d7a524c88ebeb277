import type { Outcome } from '../core/outcome.ts';
import type { Place } from './connection.ts';
import { Failure } from './failure.ts';
import type { OutboundRequest } from './port.ts';
import type { Target } from './uri.ts';

/** One request on its way, whatever it takes. */
export class Sending {
  readonly request: OutboundRequest;
  readonly target: Target;
  readonly place: Place;
  /** What runs now, if it can be ended early. */
  running: { abort(failure: Failure): void } | undefined;
  phase: 'connect' | 'response' = 'connect';
  wasRepeated = false;
  cancelDeadline: (() => void) | undefined;
  #isOver = false;
  readonly #onOver: (sending: Sending, outcome: Outcome) => void;

  /** `onOver` is called exactly once. */
  constructor(
    request: OutboundRequest,
    target: Target,
    onOver: (sending: Sending, outcome: Outcome) => void,
  ) {
    this.request = request;
    this.target = target;
    const origin = target.secure ? `https://${target.host}` : `http://${target.host}`;
    this.place = { pool: request.pool, origin };
    this.#onOver = onOver;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.cancelDeadline?.();
    this.#onOver(this, outcome);
  }

  /** What has arrived decides: a head that came in time counts, however slow its body is. */
  giveUp(outcome: Outcome): void {
    this.running?.abort(new Failure(outcome));
    this.end(outcome);
  }
}
