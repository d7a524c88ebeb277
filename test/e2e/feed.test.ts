import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { GapDetector, SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { caller, TestReceiver, TestServer } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
let at = '';
const admin = caller(server, () => server.running.adminKey);

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

async function inTenant(id: string) {
  await admin('POST', '/admin/tenants', { Id: id });
  const call = caller(server, () => server.running.adminKey, id);
  const register = async (path: string): Promise<string> =>
    (await call('POST', '/webhooks/registrations', { WebHookUri: at + path })).json.Id;
  const client = new SchoolbellClient({
    baseUrl: server.running.url,
    key: server.running.adminKey,
    tenant: id,
  });
  return { call, register, client };
}

test('a receiver sees by the numbers what it missed, and the feed has it', async () => {
  const { call, register, client } = await inTenant('gaps');
  const id = await register('/gaps');
  receiver.answer = (response) => response.writeHead(200).end();
  await call('POST', '/webhooks/events', '{"Action":"A","n":1}');
  const gaps = new GapDetector();
  const note = ({ headers }: { headers: Record<string, unknown> }): boolean =>
    gaps.note(Number(headers['schoolbell-sequence']));
  for (const received of await receiver.expect('/gaps', 1)) assert.equal(note(received), true);
  const [published] = await Promise.all([
    call('POST', '/webhooks/events', '[{"Action":"A","n":12345678901234567890},{"Action":"A"}]'),
    receiver.expect('/gaps', 3),
  ]);
  const received = await receiver.expect('/gaps', 3);
  note(received.find(({ headers }) => headers['schoolbell-sequence'] === '3') ?? { headers: {} });
  assert.deepEqual(gaps.missing(), [2]);
  const missed = [];
  for await (const item of client.feed(id, 1)) {
    if (gaps.note(item.Sequence)) missed.push(item);
  }
  assert.deepEqual(gaps.missing(), []);
  assert.equal(missed[0]?.EventId, published.json[0].Id);
  const { text, json } = await call('GET', `/webhooks/registrations/${id}/feed?after=1&limit=1`);
  assert.match(text, /"Notifications":\[\{"Action":"A","n":12345678901234567890\}\]/);
  assert.deepEqual([json.Items.length, json.Last], [1, 3]);
  const sent = received.map(({ headers }) => headers['webhook-id']);
  assert.ok(sent.includes(json.Items[0].Id));
});

test('what waits is in the feed, and numbers outlive a stop', async () => {
  const { call, register } = await inTenant('waits');
  const id = await register('/waits');
  const paused = { Id: id, WebHookUri: `${at}/waits`, IsPaused: true };
  await call('PUT', `/webhooks/registrations/${id}`, paused);
  await call('POST', '/webhooks/events', { Action: 'A' });
  await server.stop();
  await server.start();
  await call('POST', '/webhooks/events', { Action: 'B' });
  const { json } = await call('GET', `/webhooks/registrations/${id}/feed`);
  assert.deepEqual(
    json.Items.map(({ Sequence, State }: { Sequence: number; State: string }) => [Sequence, State]),
    [
      [1, 'held'],
      [2, 'held'],
    ],
  );
  await call('PUT', `/webhooks/registrations/${id}`, { ...paused, IsPaused: false });
  const received = await receiver.expect('/waits', 2);
  const numbers = received.map(({ headers }) => headers['schoolbell-sequence']);
  assert.deepEqual(new Set(numbers), new Set(['1', '2']));
});

test('a retry has the number of its delivery, a test has none', async () => {
  const { call, register } = await inTenant('retried');
  const id = await register('/retried');
  let answers = 0;
  receiver.answer = (response) => response.writeHead((answers += 1) === 1 ? 503 : 200).end();
  await call('POST', '/webhooks/events', { Action: 'A' });
  const received = await receiver.expect('/retried', 2);
  assert.deepEqual(
    received.map(({ headers }) => headers['schoolbell-sequence']),
    ['1', '1'],
  );
  await call('POST', `/webhooks/registrations/${id}/test`, {});
  const [, , tested] = await receiver.expect('/retried', 3);
  assert.equal(tested?.headers['schoolbell-sequence'], undefined);
});

test('the feed of another tenant is one of nobody, and what cannot be read is refused', async () => {
  const { register } = await inTenant('owner');
  const id = await register('/owner');
  const { call } = await inTenant('stranger');
  for (const unknown of [id, 'unknown', '%00'])
    assert.equal((await call('GET', `/webhooks/registrations/${unknown}/feed`)).status, 404);
  for (const query of ['after=-1', 'after=x', 'after=1e3', 'limit=0', 'limit=1001', 'from=1'])
    assert.equal((await call('GET', `/webhooks/registrations/${id}/feed?${query}`)).status, 400);
});
