import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

const server = new TestServer({ maxPending: 3, schedule: parseSchedule('0ms,1h') });
const receiver = new TestReceiver();
const admin = caller(server, () => server.running.adminKey);
let url = '';
before(async () => {
  await server.start();
  url = await receiver.listen();
});
after(() => Promise.all([server.end(), receiver.close()]));

const EVENT = { Action: 'CourseCompleted' };

/** A tenant with one registration that is paused, so that everything waits. */
async function tenantOf(Id: string, rest: object = {}) {
  assert.equal((await admin('POST', '/admin/tenants', { Id, ...rest })).status, 201);
  const call = caller(server, () => server.running.adminKey, Id);
  const body = { WebHookUri: `${url}/${Id}`, IsPaused: true };
  const made = await call('POST', '/webhooks/registrations', body);
  assert.equal(made.status, 201);
  const pause = (IsPaused: boolean) =>
    call('PUT', `/webhooks/registrations/${made.json.Id}`, { ...body, Id: made.json.Id, IsPaused });
  const publish = (headers: Record<string, string> = {}, event: object = EVENT) =>
    call('POST', '/webhooks/events', event, headers);
  const count = async () =>
    (await call('GET', '/webhooks/events?count=true&limit=1')).json.Count as number;
  return { call, pause, publish, count };
}

test('a tenant at its quota gets 429 and writes nothing, another one goes on, and so does the first when deliveries have ended', async () => {
  const [full, other] = [await tenantOf('full'), await tenantOf('other')];
  const first = await full.publish({ 'idempotency-key': 'one' });
  for (const n of [2, 3]) assert.equal((await full.publish()).status, 202, `event ${n}`);

  const refused = await full.publish();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('retry-after'), '10');
  assert.match(refused.json.Message, /'full' has 3 deliveries waiting.* may have 3/);
  assert.equal((await full.publish({ 'idempotency-key': 'new' })).status, 429);
  assert.equal(await full.count(), 3);

  const repeated = await full.publish({ 'idempotency-key': 'one' });
  assert.equal(repeated.status, 202);
  assert.equal(repeated.text, first.text);
  const changed = await full.publish({ 'idempotency-key': 'one' }, { ...EVENT, n: 2 });
  assert.equal(changed.status, 409);
  const withKeys = [{ Notifications: [EVENT], IdempotencyKey: 'one.1' }];
  assert.equal((await full.publish({}, withKeys)).status, 429);

  assert.equal((await other.publish()).status, 202);
  const toAll = { Tenant: '*', Notifications: [EVENT] };
  assert.equal((await admin('POST', '/webhooks/events', toAll)).status, 202);

  await full.pause(false);
  await receiver.expect('/full', 4);
  const again = await until(
    () => full.publish({ 'idempotency-key': 'new' }),
    ({ status }) => status !== 429,
  );
  assert.equal(again.status, 202);
  assert.equal(await full.count(), 5);
});

test('a cancelled delivery makes room at once, and what waits is counted again at the next start', async () => {
  const { call, publish } = await tenantOf('restarted');
  for (const _ of [1, 2, 3]) assert.equal((await publish()).status, 202);
  await server.stop();
  await server.start();
  assert.equal((await publish()).status, 429);
  const metrics = await fetch(`${server.running.url}/metrics`, {
    headers: { authorization: `Bearer ${server.running.adminKey}` },
  });
  assert.match(await metrics.text(), /^schoolbell_deliveries_waiting\{state="held"\} [1-9]/m);
  const { Items } = (await call('GET', '/webhooks/deliveries?state=held')).json;
  assert.equal(
    (await call('POST', `/webhooks/deliveries/${Items[0].Id}/cancel`)).status < 300,
    true,
  );
  assert.equal((await publish()).status, 202);
  assert.equal((await publish()).status, 429);
  await call('POST', `/webhooks/deliveries/${Items[1].Id}/cancel`);
  await call('POST', `/webhooks/deliveries/${Items[1].Id}/retry`);
  assert.equal((await publish()).status, 429);
});

test('a tenant may have a quota of its own, which is shown, changed while it runs, kept, and on record', async () => {
  const { publish } = await tenantOf('own', { MaxPending: 1 });
  assert.equal((await publish()).status, 202);
  assert.equal((await publish()).status, 429);
  const more = await admin('PUT', '/admin/tenants/own', { MaxPending: 2 });
  assert.deepEqual([more.json.MaxPending, more.json.Name], [2, 'own']);
  assert.equal((await publish()).status, 202);
  assert.equal((await publish()).status, 429);
  await server.stop();
  await server.start();
  assert.equal((await admin('GET', '/admin/tenants/own')).json.MaxPending, 2);
  assert.equal((await publish()).status, 429);
  assert.equal((await admin('PUT', '/admin/tenants/own', { Name: 'Own' })).json.MaxPending, 2);
  const none = await admin('PUT', '/admin/tenants/own', { MaxPending: null });
  assert.deepEqual([none.json.MaxPending, none.json.Name], [null, 'Own']);
  assert.equal((await publish()).status, 202);
  const { Items } = (await admin('GET', '/admin/audit?tenant=own')).json;
  const changes = Items.filter(({ Change }: { Change: string }) => Change === 'tenant changed');
  const quotas = changes.map((entry: { Before: object; After: object }) =>
    [entry.Before, entry.After].map((each) => (each as { MaxPending: number | null }).MaxPending),
  );
  assert.deepEqual(quotas, [
    [2, null],
    [2, 2],
    [1, 2],
  ]);
  for (const MaxPending of [0, -1, 1.5, '5', 1_000_000_001]) {
    const refused = await admin('PUT', '/admin/tenants/own', { MaxPending });
    assert.equal(refused.status, 400, String(MaxPending));
  }
});
