import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { MadeAttempt } from '../core/attempt.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { attemptOf } from '../core/testing/attempt.ts';
import { createTelemetry, type Telemetry } from './events.ts';
import { createMetrics, type Figures, type Metrics } from './metrics.ts';

const FIGURES: Figures = {
  inFlight: 1,
  lanes: 2,
  openBreakers: 3,
  inMemory: 4,
  inHand: 5,
  waitingCalls: 6,
  waiting: { pending: 7, held: 8 },
};

function open(): { telemetry: Telemetry; metrics: Metrics; lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'warn', base: null }, { write: (line: string) => lines.push(line) });
  const metrics = createMetrics(() => FIGURES);
  return { telemetry: createTelemetry(log, metrics), metrics, lines };
}

const REGISTRATION: Registration = {
  id: newId(0),
  tenant: 'default',
  webHookUri: 'https://receiver.example/',
  secret: '',
  description: null,
  isPaused: false,
  filters: ['*'],
  headers: [],
  properties: '{}',
  createdAt: 0,
  updatedAt: 0,
  secretId: '#1',
  secretChangedAt: null,
  oldSecrets: [],
  conditions: null,
  switchedOff: null,
};

function delivered(certificateEndsAt?: number): MadeAttempt {
  const response = { headers: [], body: '', truncated: false };
  const ends = certificateEndsAt === undefined ? {} : { certificateEndsAt };
  const outcome = { kind: 'response', status: 200, response, ...ends } as const;
  return attemptOf({ deliveryId: newId(0), startedAt: 0, outcome });
}

test('shows each figure of what goes on now, and how late the event loop is', async () => {
  const text = await open().metrics.text();
  const figures = {
    schoolbell_in_flight: 1,
    schoolbell_lanes: 2,
    schoolbell_breakers_open: 3,
    schoolbell_deliveries_in_memory: 4,
    schoolbell_deliveries_in_hand: 5,
    schoolbell_publish_calls_waiting: 6,
    'schoolbell_deliveries_waiting{state="pending"}': 7,
    'schoolbell_deliveries_waiting{state="held"}': 8,
  };
  for (const [name, value] of Object.entries(figures))
    assert.ok(text.includes(`\n${name} ${value}\n`), name);
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m);
});

test('warns once of each certificate that ends soon', async () => {
  const { telemetry, metrics, lines } = open();
  for (const endsAt of [undefined, 1000, 1000, 2000, undefined, 2000])
    telemetry.attempted(REGISTRATION, delivered(endsAt));
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { endsAt: string }).endsAt),
    [new Date(1000).toISOString(), new Date(2000).toISOString()],
  );
  assert.match(await metrics.text(), /^schoolbell_certificates_ending_total 2$/m);
});

test('tells of an endpoint by what happens to it, never by where it is', async () => {
  const { telemetry, metrics, lines } = open();
  const about = { registration: REGISTRATION, at: 1 };
  const way = { failures: 61, since: 0, switchedOffAt: 2 };
  telemetry.concerned({ ...about, kind: 'failing', percent: 50, ...way });
  telemetry.concerned({ ...about, kind: 'recovered', wasOff: false });
  const { tenant, id } = REGISTRATION;
  const told = { level: 40, tenant, registration: id, percent: 50, ...way };
  assert.deepEqual(
    lines.map((line) => {
      const { time: _, ...rest } = JSON.parse(line) as { time: number };
      return rest;
    }),
    [{ ...told, msg: 'endpoint failing' }],
  );
  const text = await metrics.text();
  assert.match(text, /^schoolbell_endpoint_concerns_total\{kind="failing"\} 1$/m);
  assert.match(text, /^schoolbell_endpoint_concerns_total\{kind="recovered"\} 1$/m);
});

test('counts what a rule kept from being sent, and says so to the operator alone', async () => {
  const { telemetry, metrics, lines } = open();
  telemetry.blocked({ pool: 'default/1', host: 'a.example', rule: 'metadata' });
  const { pool, host, rule } = JSON.parse(lines[0] ?? '') as Record<string, string>;
  assert.deepEqual([pool, host, rule], ['default/1', 'a.example', 'metadata']);
  assert.match(await metrics.text(), /^schoolbell_blocked_total\{rule="metadata"\} 1$/m);
});
