import { FAILURES_TO_OPEN } from '../../core/breaker.ts';
import type { Id } from '../../core/id.ts';
import type { Outcome } from '../../core/outcome.ts';
import type { Egress, OutboundRequest } from '../../egress/port.ts';

export type Flight = {
  readonly id: Id;
  /** The registration it goes to. */
  readonly pool: string;
  /** True when it went out although the endpoint's breaker must be open. */
  readonly isProbe: boolean;
  readonly answer: (outcome: Outcome) => void;
};

/** A network whose every answer a simulation chooses, and which sees what must never be. */
export class FakeNetwork implements Egress {
  readonly flights: Flight[] = [];
  /** How often each delivery was answered with 200. */
  readonly delivered = new Map<Id, number>();
  /** Numbers of the attempts of each delivery, as they came. */
  readonly attempts = new Map<Id, number[]>();
  /** Registrations to which nothing may be sent from now on. */
  readonly silent = new Set<string>();
  /** What must never be and was; told by the simulation, which knows the seed. */
  readonly violations: string[] = [];
  readonly #failuresInARow = new Map<string, number>();
  readonly #onSend: (flight: Flight) => void;

  constructor(onSend: (flight: Flight) => void) {
    this.#onSend = onSend;
  }

  /** What the breaker of this registration must be, by the answers given so far. */
  isBreakerOpen(pool: string): boolean {
    return (this.#failuresInARow.get(pool) ?? 0) >= FAILURES_TO_OPEN;
  }

  inFlightTo(pool: string): number {
    return this.flights.filter((flight) => flight.pool === pool).length;
  }

  send(request: OutboundRequest): Promise<Outcome> {
    const { pool } = request;
    const { Id: id, Attempt: number } = JSON.parse(Buffer.from(request.body ?? []).toString()) as {
      Id: string;
      Attempt: number;
    };
    if (this.silent.has(pool)) this.violations.push(`${pool} gets something though it is silenced`);
    if (this.flights.some((flight) => flight.id === id))
      this.violations.push(`${id} is in flight twice`);
    const isProbe = this.isBreakerOpen(pool);
    if (isProbe && this.inFlightTo(pool) > 0)
      this.violations.push(`${pool} is probed by several at once`);
    const before = this.attempts.get(id) ?? [];
    if (number <= (before.at(-1) ?? 0))
      this.violations.push(`attempts of ${id} come as ${before.join()} and ${number}`);
    this.attempts.set(id, [...before, number]);
    return new Promise((resolve) => {
      const flight = { id, pool, isProbe, answer: resolve };
      this.#onSend(flight);
      this.flights.push(flight);
    });
  }

  /** Answers one request; a crash in between loses the answer but not the delivery. */
  answer(index: number, outcome: Outcome): void {
    const [flight] = this.flights.splice(index, 1);
    if (flight === undefined) return;
    const isGood = outcome.kind === 'response' && outcome.status === 200;
    if (isGood) this.delivered.set(flight.id, (this.delivered.get(flight.id) ?? 0) + 1);
    const failures = isGood ? 0 : (this.#failuresInARow.get(flight.pool) ?? 0) + 1;
    this.#failuresInARow.set(flight.pool, failures);
    flight.answer(outcome);
  }

  forget(pool: string): void {
    this.#failuresInARow.delete(pool);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function status(code: number): Outcome {
  return { kind: 'response', status: code, response: { headers: [], body: '', truncated: false } };
}
