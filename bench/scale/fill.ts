import { DatabaseSync } from 'node:sqlite';
import { deliveryHeaders } from '../../packages/server/src/core/signature.ts';
import { explain } from '../../packages/server/src/core/explain.ts';
import { newId } from '../../packages/server/src/core/id.ts';
import type { Outcome } from '../../packages/server/src/core/outcome.ts';
import { outcomeNumbers } from '../../packages/server/src/store/sqlite/outcomes.ts';
import { randomFrom } from '../../tools/random.ts';

export type Filling = {
  readonly path: string;
  readonly attempts: number;
  /** Registrations that have deliveries, by their tenants. */
  readonly registrations: readonly { readonly tenant: string; readonly id: string }[];
  /** Spread evenly over the time from here to there. */
  readonly from: number;
  readonly to: number;
  readonly onProgress: (text: string) => void;
};

const FAN_OUT = 4;
const EVENTS_PER_COMMIT = 20_000;
/** On average: one delivery in eight takes three. */
const ATTEMPTS_PER_DELIVERY = 1.25;

const ACTIONS = ['CourseCompleted', 'CourseEnrollment', 'TrainingPlanCompleted', 'QuizCompleted'];
/** One in so many: events of the rare action, deliveries that failed twice first, and that failed for good. */
const RARE_EVERY = 1000;
const FAILED_EVERY = 8;
const EXHAUSTED_EVERY = 400;
export const RARE_ACTION = 'CertificateExpired';

const DELIVERED = 1;
const EXHAUSTED = 2;

/**
 * Writes what months of deliveries leave behind straight into the tables of a store that no server
 * has open: rows as `accept` and `settle` write them, in the order of their times.
 */
export function fill(filling: Filling): void {
  const database = new DatabaseSync(filling.path);
  database.exec(
    'pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -1000000',
  );
  const write = writerOf(database, filling);
  const events = Math.round(filling.attempts / FAN_OUT / ATTEMPTS_PER_DELIVERY);
  for (let from = 0; from < events; from += EVENTS_PER_COMMIT) {
    database.exec('begin');
    const to = Math.min(events, from + EVENTS_PER_COMMIT);
    for (let n = from; n < to; n += 1)
      write(n, filling.from + ((filling.to - filling.from) * n) / events);
    database.exec('commit');
    filling.onProgress(`${to.toLocaleString('en')} of ${events.toLocaleString('en')} events`);
  }
  database.exec('pragma journal_mode = wal');
  database.close();
}

const INSERT_EVENT = `
insert into events (tenant, id, accepted_at, actions, payload)
values (?, ?, ?, ?, ?)`;

const INSERT_DELIVERY = `
insert into deliveries (tenant, event_id, id, registration_id, state, attempts, step, ended_at, reason, outcome)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const INSERT_ATTEMPT = `
insert into attempts (delivery_id, number, started_at, duration_ms, record)
values (?, ?, ?, ?, ?)`;

function writerOf(
  database: DatabaseSync,
  { registrations }: Filling,
): (n: number, at: number) => void {
  const random = randomFrom(1);
  const insertEvent = database.prepare(INSERT_EVENT);
  const insertDelivery = database.prepare(INSERT_DELIVERY);
  const insertAttempt = database.prepare(INSERT_ATTEMPT);
  const byTenant = [...Map.groupBy(registrations, ({ tenant }) => tenant).values()];

  const numberOf = outcomeNumbers(database)();

  function outcomeNumber(tenant: string, status: number): number {
    const { class: kind, sentence } = explain(outcomeOf(status));
    return numberOf(tenant, [kind, status, sentence]);
  }

  function writeAttempts(id: string, at: number, count: number, ok: boolean): void {
    for (let number = 1; number <= count; number += 1) {
      const record = recordOf(id, at, ok && number === count ? 200 : 503);
      insertAttempt.run(id, number, at + number * 5000, 20, record);
    }
  }

  return (n, time) => {
    const at = Math.round(time);
    const theirs = byTenant[n % byTenant.length] ?? [];
    const tenant = theirs[0]?.tenant ?? '';
    const event = newId(at);
    const action = random() * RARE_EVERY < 1 ? RARE_ACTION : (ACTIONS[n % ACTIONS.length] ?? '');
    insertEvent.run(tenant, event, at, JSON.stringify([action]), payloadOf(action, n));
    const first = Math.floor(random() * theirs.length);
    for (let d = 0; d < FAN_OUT; d += 1) {
      const registration = theirs[(first + d) % theirs.length]?.id ?? '';
      const id = newId(at);
      const attempts = random() * FAILED_EVERY < 1 ? 3 : 1;
      const ok = random() * EXHAUSTED_EVERY >= 1;
      const state = ok ? DELIVERED : EXHAUSTED;
      const reason = ok ? null : 'retry schedule used up';
      insertDelivery.run(
        tenant,
        event,
        id,
        registration,
        state,
        attempts,
        attempts - 1,
        at + attempts * 5000,
        reason,
        outcomeNumber(tenant, ok ? 200 : 503),
      );
      writeAttempts(id, at, attempts, ok);
    }
  };
}

const LEARNERS = 50_000;

function payloadOf(action: string, n: number): string {
  const learner = n % LEARNERS;
  return `{"Action":"${action}","TimeStamp":"2026-09-01T08:15:30Z","Course":{"Id":"5f1c2d7e-94b3-4c1a-8f2e-3d7b6a905c14","Title":"First Aid at School"},"Users":[{"Id":"${learner}","Title":"Ana Lindqvist","Email":"learner${learner}@northfield.example"}]}`;
}

const BODY = Buffer.from('{}');
const SIGNED_BY = { ms: '#12345678', standard: ['#12345678'] };
const TEMPLATE = deliveryHeaders({
  msSecret: 's'.repeat(32),
  standardSecrets: ['s'.repeat(32)],
  id: 'f'.repeat(32),
  sequence: null,
  timestampSeconds: 1_790_000_000,
  body: BODY,
  headers: [],
});

function outcomeOf(status: number): Outcome {
  const headers = [
    ['content-length', '0'],
    ['date', 'Tue, 01 Sep 2026 08:15:30 GMT'],
  ] as const;
  return { kind: 'response', status, response: { headers, body: '', truncated: false } };
}

/** The signatures are the same in all: they are as long as true ones, and nothing looks at them. */
function recordOf(id: string, at: number, status: number): string {
  const requestHeaders = TEMPLATE.map(([name, value]) => {
    if (name === 'webhook-id') return [name, id];
    return [name, name === 'webhook-timestamp' ? String(Math.floor(at / 1000)) : value];
  });
  return JSON.stringify({ outcome: outcomeOf(status), requestHeaders, signedBy: SIGNED_BY });
}

const INSERT_PENDING = `
insert into deliveries (tenant, event_id, id, registration_id, state, due_at)
values ('default', ?, ?, ?, 0, ?)`;

/** Deliveries that wait, evenly for each registration, as a publisher leaves them when endpoints are down. */
export function fillPending(
  path: string,
  backlog: {
    readonly registrations: readonly string[];
    readonly pending: number;
    readonly now: number;
  },
): void {
  const { registrations, pending, now } = backlog;
  const database = new DatabaseSync(path);
  database.exec('pragma synchronous = off; begin');
  const insertEvent = database.prepare(INSERT_EVENT);
  const insertDelivery = database.prepare(INSERT_PENDING);
  for (let n = 0; n < pending; n += 1) {
    const id = newId(now);
    const action = ACTIONS[n % ACTIONS.length] ?? '';
    insertEvent.run('default', id, now, JSON.stringify([action]), payloadOf(action, n));
    insertDelivery.run(id, newId(now), registrations[n % registrations.length] ?? '', now);
  }
  database.exec('commit; pragma wal_checkpoint(truncate)');
  database.close();
}
