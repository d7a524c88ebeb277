import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { caller, type Received, TestReceiver, TestServer, until } from './harness.ts';

/** Patient enough for a slow machine: what fails for a while is not given up meanwhile. */
const server = new TestServer({ schedule: parseSchedule(`0ms${',100ms'.repeat(49)}`) });
const hasty = new TestServer();
const receiver = new TestReceiver();
let at = '';

before(async () => {
  await Promise.all([server.start(), hasty.start()]);
  at = await receiver.listen();
});

after(async () => {
  await Promise.all([server.end(), hasty.end()]);
  await receiver.close();
});

async function freshTenant(id: string, on = server) {
  const key = (): string => on.running.adminKey;
  await caller(on, key)('POST', '/admin/tenants', { Id: id });
  return caller(on, key, id);
}

type Call = Awaited<ReturnType<typeof freshTenant>>;

async function register(call: Call, path: string, rest: object) {
  const made = await call('POST', '/webhooks/registrations', { WebHookUri: at + path, ...rest });
  assert.equal(made.status, 201, made.text);
  return made.json;
}

const completed = (user: string, n: number) => ({ Action: 'UserCreated', UserId: user, n });

/** What came for a learner, in order, with the attempt at which it did. */
function arrivals(received: readonly Received[], user: string): { n: number; attempt: number }[] {
  return received
    .map(({ body }) => JSON.parse(body))
    .filter(({ Notifications: [one] }) => one.UserId === user)
    .map(({ Notifications: [one], Attempt }) => ({ n: one.n, attempt: Attempt }));
}

const waits = async (call: Call) => (await call('GET', '/webhooks/deliveries?state=pending')).json;

test('learners get theirs in order, and one whose deliveries fail holds up nobody else', async () => {
  const call = await freshTenant('subject');
  const { Ordering } = await register(call, '/subject', { Ordering: 'subject' });
  assert.equal(Ordering, 'subject');
  let isFailing = true;
  receiver.answer = (response, { body }) =>
    response.writeHead(isFailing && body.includes('"ann"') ? 500 : 200).end();
  await call('POST', '/webhooks/events', [completed('ann', 1), completed('ann', 2)]);
  const others = Array.from({ length: 40 }, (_, n) => completed(n % 2 === 0 ? 'bob' : 'cid', n));
  await call('POST', '/webhooks/events', others);
  const isThere = async () =>
    arrivals(receiver.received, 'bob').length + arrivals(receiver.received, 'cid').length;
  await until(isThere, (count) => count === 40);
  const { Items } = await until(
    () => waits(call),
    (page) => page.Items.length === 2,
  );
  assert.deepEqual(
    Items.map((item: { Reason: string | null }) => item.Reason),
    ['waits for an earlier delivery', null],
  );
  for (const user of ['bob', 'cid']) {
    const numbers = arrivals(receiver.received, user).map(({ n }) => n);
    assert.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  }
  isFailing = false;
  await until(
    () => waits(call),
    (page) => page.Items.length === 0,
  );
  const ann = arrivals(receiver.received, 'ann');
  assert.deepEqual(ann.at(-1), { n: 2, attempt: 1 });
  assert.ok(ann.slice(0, -1).every(({ n }) => n === 1));
});

test('a single file is one at a time and in order, whatever fails, across a restart', async () => {
  const call = await freshTenant('strict');
  await register(call, '/strict', { Ordering: 'strict' });
  let open = 0;
  let most = 0;
  let requests = 0;
  receiver.answer = (response) => {
    open += 1;
    requests += 1;
    most = Math.max(most, open);
    const status = requests % 3 === 0 ? 503 : 200;
    setImmediate(() => {
      open -= 1;
      response.writeHead(status).end();
    });
  };
  const events = (from: number) => Array.from({ length: 30 }, (_, n) => completed('x', from + n));
  await call('POST', '/webhooks/events', events(0));
  await server.stop();
  await server.start();
  await call('POST', '/webhooks/events', events(30));
  await until(
    () => waits(call),
    (page) => page.Items.length === 0,
  );
  assert.equal(most, 1, 'one at a time');
  const came = receiver.received.filter(({ path }) => path === '/strict');
  const numbers = arrivals(came, 'x').map(({ n }) => n);
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
  assert.deepEqual(
    [...new Set(numbers)],
    Array.from({ length: 60 }, (_, n) => n),
  );
  receiver.answer = (response) => response.writeHead(200).end();
});

test('a delivery that used up its schedule lets the next one go', async () => {
  const call = await freshTenant('exhausted', hasty);
  await register(call, '/exhausted', { Ordering: 'subject' });
  receiver.answer = (response, { body }) =>
    response.writeHead(body.includes('"n":1}') ? 500 : 200).end();
  await call('POST', '/webhooks/events', [completed('eve', 1), completed('eve', 2)]);
  await until(
    () => waits(call),
    (page) => page.Items.length === 0,
  );
  const { json } = await call('GET', '/webhooks/deliveries');
  assert.deepEqual(
    json.Items.map((item: { State: string }) => item.State),
    ['delivered', 'exhausted'],
  );
  receiver.answer = (response) => response.writeHead(200).end();
});

test('a PUT without Ordering takes the order away from what waits, too', async () => {
  const call = await freshTenant('unordered');
  const { Id } = await register(call, '/unordered', { Ordering: 'subject', IsPaused: true });
  await call('POST', '/webhooks/events', [completed('dan', 1), completed('dan', 2)]);
  receiver.answer = (response, { body }) =>
    response.writeHead(body.includes('"n":1}') ? 500 : 200).end();
  const put = await call('PUT', `/webhooks/registrations/${Id}`, {
    Id,
    WebHookUri: `${at}/unordered`,
  });
  assert.equal(put.status, 200, put.text);
  const { json } = await call('GET', `/webhooks/registrations/${Id}`);
  assert.equal('Ordering' in json, false);
  const came = await receiver.expect('/unordered', 2);
  const numbers = arrivals(came, 'dan').map(({ n }) => n);
  assert.ok(numbers.includes(2), 'the second did not wait for the first to end');
  receiver.answer = (response) => response.writeHead(200).end();
});

test('Ordering is none, subject or strict, and shown only where it is set', async () => {
  const call = await freshTenant('values');
  const made = await register(call, '/values', {});
  assert.equal('Ordering' in made, false);
  assert.equal('Ordering' in (await register(call, '/values', { ordering: 'none' })), false);
  for (const Ordering of ['Subject', 'fifo', '', 1, true, [], {}]) {
    const refused = await call('POST', '/webhooks/registrations', { WebHookUri: at, Ordering });
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.json.ModelState, {
      'webHook.Ordering': ["Ordering is 'none', 'subject' or 'strict'."],
    });
  }
});
