import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, test } from 'node:test';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

const EVENTS = 60;
/** Failures in a row that open a breaker, and the least time until its first probe. */
const FAILURES_TO_OPEN = 10;
const FIRST_PROBE_MS = 4000;

const server = new TestServer({
  concurrency: 8,
  schedule: parseSchedule(`0ms${',10ms'.repeat(12)}`),
});
const receiver = new TestReceiver();
before(() => server.start());
after(() => Promise.all([server.end(), receiver.close()]));

/** Answers of one path, which fail until `isUp`, and how many were open at once. */
class Endpoint {
  isUp = false;
  readonly arrivals: { readonly at: number; readonly inFlight: number }[] = [];
  #inFlight = 0;

  answer(response: ServerResponse): void {
    this.#inFlight += 1;
    this.arrivals.push({ at: performance.now(), inFlight: this.#inFlight });
    const isUp = this.isUp;
    setTimeout(() => {
      this.#inFlight -= 1;
      response.writeHead(isUp ? 200 : 500).end();
    }, 5);
  }
}

test('an endpoint that fails is probed one request at a time, costs its neighbour and its deliveries nothing, and is ramped up to when it is back', async () => {
  const down = new Endpoint();
  const neighbour = new Endpoint();
  receiver.answer = (response, { path }) => (path === '/down' ? down : neighbour).answer(response);
  neighbour.isUp = true;
  const url = await receiver.listen();
  const call = caller(server, () => server.running.adminKey);
  const ids: string[] = [];
  for (const path of ['/down', '/neighbour'])
    ids.push((await call('POST', '/webhooks/registrations', { WebHookUri: url + path })).json.Id);
  const events = Array.from({ length: EVENTS }, (_, n) => ({ Action: 'CourseCompleted', n }));
  assert.equal((await call('POST', '/webhooks/events', events)).status, 202);

  await receiver.expect('/neighbour', EVENTS);
  await receiver.expect('/down', FAILURES_TO_OPEN);
  down.isUp = true;
  await receiver.expect('/down', FAILURES_TO_OPEN + EVENTS);
  const log = await until(
    async () => (await call('GET', `/webhooks/deliveries?registrationId=${ids[0]}&limit=100`)).json,
    ({ Items }) => Items.every(({ State }: { State: string }) => State !== 'pending'),
  );

  const [failed, good] = [
    down.arrivals.slice(0, FAILURES_TO_OPEN),
    down.arrivals.slice(FAILURES_TO_OPEN),
  ];
  assert.ok(failed.every(({ inFlight }) => inFlight === 1));
  const probedAfter = (good[0]?.at ?? 0) - (failed.at(-1)?.at ?? 0);
  assert.ok(probedAfter >= FIRST_PROBE_MS, `probed after ${probedAfter} ms`);
  // One, then two, four and eight at once, each after as many good answers.
  good.forEach(({ inFlight }, index) =>
    assert.ok(inFlight <= index + 1, `${inFlight} at ${index}`),
  );
  assert.equal(Math.max(...good.map(({ inFlight }) => inFlight)), 8);

  assert.equal(log.Items.length, EVENTS);
  assert.ok(log.Items.every(({ State }: { State: string }) => State === 'delivered'));
  const attempts = log.Items.map(({ Attempts }: { Attempts: number }) => Attempts);
  assert.equal(
    attempts.reduce((sum: number, each: number) => sum + each, 0),
    EVENTS + FAILURES_TO_OPEN,
  );
  assert.equal(neighbour.arrivals.length, EVENTS);
});
