import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURES_TO_OPEN } from '../core/breaker.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Outcome } from '../core/outcome.ts';
import { CALM, QUICK_MS } from '../core/ramp.ts';
import type { Registration } from '../core/registration.ts';
import { Lane } from './lane.ts';

const GOOD: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [], body: '', truncated: false },
};
const REFUSED: Outcome = { kind: 'connect_error', code: 'ECONNREFUSED' };

const took = (outcome: Outcome, durationMs = 5) => ({ outcome, durationMs });

test('an endpoint that did well is ramped up to from one again after its breaker was open', () => {
  const lane = new Lane({ tenant: 't', id: 'r' } as Registration, 8);
  for (let n = 0; n < 100; n += 1) lane.learn(took(GOOD), n, 0);
  assert.equal(lane.ramp.concurrency, 8);
  for (let n = 0; n < FAILURES_TO_OPEN; n += 1) lane.learn(took(REFUSED), 100 + n, 0);
  assert.equal(lane.breaker.state, 'open');
  assert.equal(lane.ramp.concurrency, 1);
});

test('what waits in memory for an endpoint grows with how well it does', () => {
  const lane = new Lane({ tenant: 't', id: 'r' } as Registration, 8);
  lane.registration = { ...lane.registration, isPaused: false, switchedOff: null };
  assert.equal(lane.room(), 32);
  for (let n = 0; n < 100; n += 1) lane.learn(took(GOOD), n, 0);
  assert.equal(lane.room(), 256);
  for (let n = 0; n < FAILURES_TO_OPEN; n += 1) lane.learn(took(REFUSED), 100 + n, 0);
  assert.equal(lane.room(), 1);
});

test('an endpoint is quick while it takes more at once than any may: not after a slow answer, nor after failures', () => {
  const lane = new Lane({ tenant: 't', id: 'r' } as Registration, 16);
  for (let n = 0; n < CALM - 1; n += 1) lane.learn(took(GOOD), n, 0);
  assert.equal(lane.isQuick, false);
  for (let n = 0; n < CALM + 1; n += 1) lane.learn(took(GOOD), n, 0);
  assert.equal(lane.isQuick, true);
  lane.learn(took(GOOD, QUICK_MS + 1), 100, 0);
  assert.equal(lane.isQuick, false);
  for (let n = 0; n < CALM + 1; n += 1) lane.learn(took(GOOD), 200 + n, 0);
  assert.equal(lane.isQuick, true);
  for (let n = 0; n < FAILURES_TO_OPEN; n += 1) lane.learn(took(REFUSED), 300 + n, 0);
  assert.equal(lane.isQuick, false);
});

test('an endpoint that never took a delivery gets a request a second at most, one that did may fail faster', () => {
  const lane = new Lane({ tenant: 't', id: 'r' } as Registration, 8);
  lane.registration = { ...lane.registration, isPaused: false, switchedOff: null };
  lane.queue.push({ id: 'd' } as Delivery);
  lane.learn(took(REFUSED), 5000, 0);
  assert.equal(lane.isReady(5999), false);
  assert.equal(lane.isReady(6000), true);
  lane.learn(took(GOOD), 6000, 0);
  lane.learn(took(REFUSED), 6001, 0);
  assert.equal(lane.isReady(6001), true);
});
