import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { Attempt } from '../core/attempt.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { createTelemetry, type Telemetry } from './events.ts';
import { createMetrics, type Metrics } from './metrics.ts';

function open(): { telemetry: Telemetry; metrics: Metrics; lines: string[] } {
  const lines: string[] = [];
  const log = pino({ level: 'warn', base: null }, { write: (line: string) => lines.push(line) });
  const metrics = createMetrics({
    inFlight: () => 0,
    waiting: () => ({ pending: 0, held: 0 }),
  });
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

function delivered(certificateEndsAt?: number): Attempt {
  const response = { headers: [], body: '', truncated: false };
  return {
    deliveryId: newId(0),
    number: 1,
    startedAt: 0,
    durationMs: 1,
    outcome: {
      kind: 'response',
      status: 200,
      response,
      ...(certificateEndsAt === undefined ? {} : { certificateEndsAt }),
    },
    requestHeaders: [],
    signedBy: { ms: '#1', standard: ['#1'] },
  };
}

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

test('counts what a rule kept from being sent, and says so to the operator alone', async () => {
  const { telemetry, metrics, lines } = open();
  telemetry.blocked({ pool: 'default/1', host: 'a.example', rule: 'metadata' });
  const { pool, host, rule } = JSON.parse(lines[0] ?? '') as Record<string, string>;
  assert.deepEqual([pool, host, rule], ['default/1', 'a.example', 'metadata']);
  assert.match(await metrics.text(), /^schoolbell_blocked_total\{rule="metadata"\} 1$/m);
});
