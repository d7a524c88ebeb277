import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { Attempt } from '../core/attempt.ts';
import { explain } from '../core/explain.ts';

/** What is counted. Labels are few and never hold a tenant, a URI or any other stranger's text. */
export type Metrics = {
  readonly contentType: string;
  readonly text: () => Promise<string>;
  readonly published: (events: number, ms: number) => void;
  readonly attempted: (attempt: Attempt) => void;
  /** A request that a rule kept from being sent; there are a dozen rules. */
  readonly blocked: (rule: string) => void;
  /** A receiver's certificate was found to end soon. */
  readonly certificateEnding: () => void;
};

/** What is read when the metrics are asked for. */
export type Gauges = {
  readonly inFlight: () => number;
  /** In the whole store, as far as this node knows. */
  readonly waiting: () => { readonly pending: number; readonly held: number };
};

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30];

/** A registry of its own, so that several servers in one process do not add up. */
export function createMetrics(gauges: Gauges): Metrics {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
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
  const blocked = new Counter({
    name: 'schoolbell_blocked_total',
    help: 'Requests that a rule kept from being sent, by rule.',
    labelNames: ['rule'],
    registers,
  });
  const ending = new Counter({
    name: 'schoolbell_certificates_ending_total',
    help: 'Certificates of receivers that were found to end soon.',
    registers,
  });
  registerGauges(registers, gauges);
  return {
    contentType: register.contentType,
    text: () => register.metrics(),
    published: (count, ms) => {
      events.inc(count);
      publish.observe(ms / 1000);
    },
    certificateEnding: () => ending.inc(),
    blocked: (rule) => blocked.inc({ rule }),
    attempted: ({ outcome, durationMs }) => {
      attempts.inc({ outcome: explain(outcome).class });
      duration.observe(durationMs / 1000);
    },
  };
}

function registerGauges(registers: Registry[], { inFlight, waiting }: Gauges): void {
  const flying: Gauge = new Gauge({
    name: 'schoolbell_in_flight',
    help: 'Requests in flight.',
    registers,
    collect: () => flying.set(inFlight()),
  });
  const deliveries: Gauge<'state'> = new Gauge({
    name: 'schoolbell_deliveries_waiting',
    help: 'Deliveries that wait in the store, by state; counted once a minute, and kept between by what this node does.',
    labelNames: ['state'],
    registers,
    collect: () => {
      const { pending, held } = waiting();
      deliveries.set({ state: 'pending' }, pending);
      deliveries.set({ state: 'held' }, held);
    },
  });
}
