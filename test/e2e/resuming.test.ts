import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
const admin = caller(server, () => server.running.adminKey);
let at = '';
let tenants = 0;

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

const completed = (Number: number, ...users: string[]) => ({
  Action: 'CourseCompleted',
  Number,
  Users: users.map((Id) => ({ Id })),
});

/** A tenant with a registration that is paused. */
async function paused(rest: object = {}) {
  const Id = `resuming-${(tenants += 1)}`;
  await admin('POST', '/admin/tenants', { Id });
  const call = caller(server, () => server.running.adminKey, Id);
  const path = `/${Id}`;
  const body = { WebHookUri: at + path, IsPaused: true, ...rest };
  const made = await call('POST', '/webhooks/registrations', body);
  assert.equal(made.status, 201, made.text);
  const id: string = made.json.Id;
  return {
    id,
    tenant: Id,
    path,
    call,
    publish: (...events: object[]) => call('POST', '/webhooks/events', events),
    preview: async () => (await call('GET', `/webhooks/registrations/${id}/resume`)).json,
    resume: (choice?: object) => call('POST', `/webhooks/registrations/${id}/resume`, choice),
    rows: async (): Promise<Json[]> => (await call('GET', '/webhooks/deliveries')).json.Items,
    /** What has come, by the numbers of the events, when so many have. */
    sent: async (count: number): Promise<number[]> => {
      const all = await receiver.expect(path, count);
      return all.map(({ body: text }) => JSON.parse(text).Notifications[0].Number);
    },
  };
}

test('of what is held the newest of each learner is sent, the rest is cancelled and says why', async () => {
  const { id, call, publish, preview, resume, rows, sent } = await paused();
  await publish(
    completed(1, 'ana', 'ben'),
    completed(2, 'ana'),
    completed(3),
    completed(4, 'ben'),
    completed(5, 'ana', 'cleo'),
    completed(6, 'ana'),
  );
  assert.deepEqual(await preview(), {
    Held: 6,
    HeldIsExact: true,
    All: { Sent: 6, EstimatedSeconds: null },
    Newest: { Sent: 4, EstimatedSeconds: null },
    None: { Sent: 0, EstimatedSeconds: 0 },
  });
  const { status, json } = await resume({ Held: 'newest' });
  assert.equal(status, 200);
  assert.deepEqual(json, { Held: 'newest', Sent: 4, SentIsExact: true, Cancelled: 2 });
  assert.deepEqual(new Set(await sent(4)), new Set([3, 4, 5, 6]));
  const cancelled = (await rows()).filter(({ State }) => State === 'cancelled');
  assert.deepEqual(
    cancelled.map(({ Reason }) => Reason),
    Array.from({ length: 2 }, () => 'a newer one about the same subject is sent'),
  );
  assert.equal((await call('GET', `/webhooks/registrations/${id}`)).json.IsPaused, false);
  const { json: audit } = await call('GET', '/webhooks/audit?limit=2');
  assert.deepEqual(
    audit.Items.map((each: Json) => [each.Change, each.Target]),
    [
      ['registration resumed', id],
      ['held deliveries cancelled', id],
    ],
  );
  const again = await resume();
  assert.equal(again.status, 409);
  assert.match(again.json.Message, /^The registration is active already/);
});

test('nothing of what is held is sent where that is asked for, and what comes later is', async () => {
  const { publish, resume, rows, sent, preview } = await paused();
  await publish(...Array.from({ length: 600 }, (_, n) => completed(n)));
  const { json } = await resume({ Held: 'none' });
  assert.deepEqual(json, { Held: 'none', Sent: 0, SentIsExact: true, Cancelled: 600 });
  await publish(completed(1000));
  assert.deepEqual(await sent(1), [1000]);
  const all = await until(rows, (found) => found[0].State === 'delivered');
  assert.ok(all.slice(1).every(({ State }) => State === 'cancelled'));
  const { Held, All } = await preview();
  assert.deepEqual([Held, All], [0, { Sent: 0, EstimatedSeconds: 0 }]);
});

test('everything is sent where nothing else is said, and when a PUT ends the pause', async () => {
  const first = await paused();
  await first.publish(completed(1, 'ana'), completed(2, 'ana'));
  const { json } = await first.resume();
  assert.deepEqual(json, { Held: 'all', Sent: 2, SentIsExact: true, Cancelled: 0 });
  assert.deepEqual(new Set(await first.sent(2)), new Set([1, 2]));

  const { id, path, call, publish, sent } = await paused();
  await publish(completed(1, 'ana'), completed(2, 'ana'));
  const body = { Id: id, WebHookUri: at + path };
  assert.equal((await call('PUT', `/webhooks/registrations/${id}`, body)).status, 200);
  assert.deepEqual(new Set(await sent(2)), new Set([1, 2]));
});

test('a registration that was switched off is resumed, and how long it takes is told beforehand', async () => {
  const { id, tenant, path, call, publish, sent } = await paused({ IsPaused: false });
  await publish(completed(1));
  await sent(1);
  const { answer } = receiver;
  receiver.answer = (response, received) =>
    received.path === path ? response.writeHead(410).end() : answer(response, received);
  await publish(completed(2), completed(3));
  const read = () => call('GET', `/webhooks/registrations/${id}`);
  await until(read, ({ json }) => json.SwitchedOff !== undefined);
  receiver.answer = answer;
  const { url: baseUrl, adminKey: key } = server.running;
  const client = new SchoolbellClient({ baseUrl, key, tenant });
  const held = await until(
    () => client.previewResume(id),
    ({ Held }) => Held === 2,
  );
  assert.ok(Number(held.All.EstimatedSeconds) >= 1);
  assert.equal((await client.resume(id)).Sent, 2);
  assert.equal((await read()).json.SwitchedOff, undefined);
  await until(
    () => call('GET', '/webhooks/deliveries?state=delivered'),
    ({ json }) => json.Items.length === 3,
  );
});

test('of many that are held the newest of each learner are told beforehand too', async () => {
  const { publish, preview } = await paused();
  for (let from = 0; from < 11_000; from += 1000) {
    const batch = Array.from({ length: 1000 }, (_, n) => completed(from + n, `u-${n % 300}`));
    assert.equal((await publish(...batch)).status, 202);
  }
  const looks = await Promise.all([preview(), preview()]);
  for (const { Held, HeldIsExact, All, Newest } of looks)
    assert.deepEqual([Held, HeldIsExact, All.Sent, Newest.Sent], [11_000, true, 11_000, 300]);
});

test('what cannot be read is refused with a sentence', async () => {
  const { call, resume } = await paused();
  const { status, json } = await resume({ Held: 'some' });
  assert.equal(status, 400);
  assert.ok(json.ModelState.Held[0].startsWith('Held '));
  const unknown = '/webhooks/registrations/0190000000007000800000000000ffff/resume';
  assert.equal((await call('GET', unknown)).status, 404);
  assert.equal((await call('POST', unknown)).status, 404);
});
