import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testRegistration } from '../core/testing/registration.ts';
import { directSender } from '../sending/direct.ts';
import type { Store } from '../store/port.ts';
import { Engine } from './engine.ts';
import { LANE_WINDOW } from './lane.ts';
import { FakeNetwork, status } from './testing/fake-network.ts';
import { MemoryStore } from './testing/memory-store.ts';

const CONCURRENCY = 64;
const BACKLOG = 3000;
const nothing = (): void => undefined;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An engine with one registration, and what it gave back to the store, call by call. */
async function scene() {
  const memory = new MemoryStore(() => Promise.resolve());
  const network = new FakeNetwork(nothing);
  const clock = { now: () => 1_790_000_000_000 };
  const given: number[] = [];
  const store: Pick<Store, 'release'> & object = Object.assign(memory.session().store, {
    release: (refs: Parameters<Store['release']>[0]) => {
      given.push(refs.length);
      return memory.release(refs);
    },
  });
  const engine = new Engine({
    node: { name: 'one', version: '0' },
    configuration: { version: () => 0, refresh: () => Promise.resolve() },
    store: store as unknown as Store,
    sender: directSender({ egress: network, clock }),
    clock,
    random: () => 0.5,
    schedule: [0, 60_000],
    maxPending: () => Infinity,
    maxInFlight: 512,
    laneConcurrency: CONCURRENCY,
    windowBytes: 64 * 1024 * 1024,
    subjectsOf: () => [],
    tally: { published: nothing, matched: nothing, settled: nothing },
    onAttempt: nothing,
    switchOffRule: { afterMs: Infinity, failures: Infinity },
    switchOff: () => Promise.resolve(false),
    onConcern: nothing,
  });
  await engine.start([testRegistration({ filters: ['*'] })]);
  const publish = (): Promise<unknown> => {
    const notifications = [{ action: 'A', text: '{"Action":"A"}' }];
    const event = { tenants: ['a'], notifications, occurredAt: null, isExempt: false };
    return engine.accept({ events: [event], idempotency: null });
  };
  const pending = (leased: boolean): number =>
    [...memory.rows.values()].filter((row) => row.state === 'pending' && row.leased === leased)
      .length;
  return { engine, network, given, publish, pending };
}

test('what is accepted for a quick endpoint waits in memory beyond its window, and is given back in steps when it fails', async () => {
  const { engine, network, given, publish, pending } = await scene();
  for (let answered = 0; answered < 2 * CONCURRENCY; answered += 1) {
    await publish();
    while (network.flights.length === 0) await turn();
    network.answer(0, status(200));
  }
  await Promise.all(Array.from({ length: BACKLOG }, publish));
  assert.ok(pending(true) > LANE_WINDOW + CONCURRENCY, `${pending(true)} are in memory`);
  assert.equal(pending(false), 0);
  while (network.flights.length < CONCURRENCY) await turn();
  while (network.flights.length > 0) network.answer(0, status(500));
  while (given.reduce((sum, each) => sum + each, 0) < BACKLOG - CONCURRENCY) await turn();
  assert.ok(given.length > 1);
  assert.ok(Math.max(...given) <= 500, `${Math.max(...given)} in one transaction`);
  await engine.stop();
});
