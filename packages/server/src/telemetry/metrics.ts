import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { MadeAttempt } from '../core/attempt.ts';
import type { Concern } from '../core/concern.ts';
import { explain } from '../core/explain.ts';

/** What is counted. Labels are few and never hold a tenant, a URI or any other stranger's text. */
export type Metrics = {
  readonly contentType: string;
  readonly text: () => Promise<string>;
  readonly published: (events: number, ms: number) => void;
  readonly attempted: (attempt: MadeAttempt) => void;
  /** A delivery was accepted. */
  readonly matched: () => void;
  /** A delivery was delivered, so many milliseconds after its event was accepted, or used up its schedule. */
  readonly ended: (state: 'delivered' | 'exhausted', ms: number) => void;
  /** A request that a rule kept from being sent; there are a dozen rules. */
  readonly blocked: (rule: string) => void;
  readonly concerned: (kind: Concern['kind']) => void;
  /** A receiver's certificate was found to end soon. */
  readonly certificateEnding: () => void;
};

/** What is read when the metrics are asked for: from memory, however often that is. */
export type Figures = {
  readonly inFlight: number;
  readonly lanes: number;
  readonly openBreakers: number;
  readonly inMemory: number;
  readonly inHand: number;
  readonly waitingCalls: number;
  /** In the whole store, as far as this node knows. */
  readonly waiting: { readonly pending: number; readonly held: number };
};

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

/** A registry of its own, so that several servers in one process do not add up. */
export function createMetrics(figures: () => Figures): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const setGauges = gauges(registers);
  return {
    contentType: register.contentType,
    text: () => {
      setGauges(figures());
      return register.metrics();
    },
    ...traffic(registers),
    ...deliveries(registers),
    ...troubles(registers),
  };
}

function traffic(registers: Registry[]): Pick<Metrics, 'published' | 'attempted'> {
  const events = new Counter({
    name: 'schoolbell_events_accepted_total',
    help: 'Events accepted.',
    registers,
  });
  const publish = new Histogram({
    name: 'schoolbell_publish_seconds',
    help: 'Time to answer a publish call.',
    buckets: SECONDS,
    registers,
  });
  const attempts = new Counter({
    name: 'schoolbell_attempts_total',
    help: 'Attempts by outcome class.',
    labelNames: ['outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'schoolbell_attempt_seconds',
    help: 'Time of an attempt.',
    buckets: SECONDS,
    registers,
  });
  return {
    published: (count, ms) => {
      events.inc(count);
      publish.observe(ms / 1000);
    },
    attempted: ({ outcome, durationMs }) => {
      attempts.inc({ outcome: explain(outcome).class });
      duration.observe(durationMs / 1000);
    },
  };
}

function deliveries(registers: Registry[]): Pick<Metrics, 'matched' | 'ended'> {
  const accepted = new Counter({
    name: 'schoolbell_deliveries_accepted_total',
    help: 'Deliveries made of accepted events; what replays send again is not among them.',
    registers,
  });
  const ends = new Counter({
    name: 'schoolbell_deliveries_ended_total',
    help: 'Deliveries that were delivered, or used up their schedule, by state.',
    labelNames: ['state'],
    registers,
  });
  const latency = new Histogram({
    name: 'schoolbell_delivery_seconds',
    help: 'Time from the acceptance of an event to its delivery, retries and waits included.',
    buckets: [...SECONDS, 60, 300, 1800, 7200, 43_200, 86_400, 259_200],
    registers,
  });
  return {
    matched: () => accepted.inc(),
    ended: (state, ms) => {
      ends.inc({ state });
      if (state === 'delivered') latency.observe(Math.max(0, ms) / 1000);
    },
  };
}

function troubles(
  registers: Registry[],
): Pick<Metrics, 'blocked' | 'concerned' | 'certificateEnding'> {
  const blocked = new Counter({
    name: 'schoolbell_blocked_total',
    help: 'Requests that a rule kept from being sent, by rule.',
    labelNames: ['rule'],
    registers,
  });
  const concerns = new Counter({
    name: 'schoolbell_endpoint_concerns_total',
    help: 'Endpoints on the way to being switched off, switched off, gone or back, by kind.',
    labelNames: ['kind'],
    registers,
  });
  const ending = new Counter({
    name: 'schoolbell_certificates_ending_total',
    help: 'Certificates of receivers that were found to end soon.',
    registers,
  });
  return {
    blocked: (rule) => blocked.inc({ rule }),
    concerned: (kind) => concerns.inc({ kind }),
    certificateEnding: () => ending.inc(),
  };
}

/** Gauges without labels, by what they are read from. */
const GAUGES: readonly (readonly [name: string, help: string, keyof Omit<Figures, 'waiting'>])[] = [
  ['schoolbell_in_flight', 'Requests in flight.', 'inFlight'],
  ['schoolbell_lanes', 'Registrations that this node has something to do for.', 'lanes'],
  [
    'schoolbell_breakers_open',
    'Endpoints that are only probed, because they failed.',
    'openBreakers',
  ],
  ['schoolbell_deliveries_in_memory', 'Deliveries in memory that wait for their turn.', 'inMemory'],
  ['schoolbell_deliveries_in_hand', 'Deliveries being sent or written down.', 'inHand'],
  ['schoolbell_publish_calls_waiting', 'Publish calls that wait for the disk.', 'waitingCalls'],
];

/** Gives what sets all gauges. */
function gauges(registers: Registry[]): (figures: Figures) => void {
  const plain = GAUGES.map(([name, help, figure]) => {
    const gauge = new Gauge({ name, help, registers });
    return (figures: Figures) => gauge.set(figures[figure]);
  });
  const waiting = new Gauge({
    name: 'schoolbell_deliveries_waiting',
    help: 'Deliveries that wait in the store, by state; counted once a minute, and kept between by what this node does.',
    labelNames: ['state'],
    registers,
  });
  return (figures) => {
    for (const set of plain) set(figures);
    waiting.set({ state: 'pending' }, figures.waiting.pending);
    waiting.set({ state: 'held' }, figures.waiting.held);
  };
}
