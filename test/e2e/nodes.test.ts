import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { PostgresServer } from '../../tools/postgres/server.ts';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { type Answer, caller, TestReceiver, TestServer, until } from './harness.ts';

const KEYS = {
  adminKey: randomBytes(24).toString('hex'),
  encryptionKey: randomBytes(32).toString('base64'),
};
const receiver = new TestReceiver();
const servers: TestServer[] = [];
let at = '';

before(async () => {
  const { url } = await testDatabase();
  at = await receiver.listen();
  await Promise.all(Array.from({ length: 3 }, () => startNode(url)));
  await until(shards, (each) => each.length === 3 && each.every((count) => count >= 21));
});

after(async () => {
  await Promise.all(servers.map((server) => server.end()));
  await receiver.close();
});

async function startNode(databaseUrl: string): Promise<TestServer> {
  const server = new TestServer({ databaseUrl, ...KEYS });
  servers.push(server);
  await server.start();
  return server;
}

type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** Calls of one tenant, on each node. */
function callers(key: () => string, tenant?: string): Call[] {
  return servers.map((server) => caller(server, key, tenant));
}

const admins = (tenant?: string): [Call, Call, Call] =>
  callers(() => KEYS.adminKey, tenant) as [Call, Call, Call];

async function shards(): Promise<number[]> {
  const { json } = await admins()[0]('GET', '/admin/nodes');
  return json.map((node: { Shards: number }) => node.Shards);
}

async function freshTenant(id: string): Promise<[Call, Call, Call]> {
  assert.equal((await admins()[0]('POST', '/admin/tenants', { Id: id })).status, 201);
  return admins(id);
}

test('what is registered on one node is matched for the next event on another, and what is deleted is not', async () => {
  const nodes = await freshTenant('truth');
  for (let round = 0; round < 20; round += 1) {
    const [one, other] = [nodes[round % 3]!, nodes[(round + 1) % 3]!];
    const made = await one('POST', '/webhooks/registrations', { WebHookUri: `${at}/truth` });
    assert.equal(made.status, 201, made.text);
    const seen = await other('POST', '/webhooks/events', { Action: 'A' });
    assert.equal(seen.json.Deliveries, 1, seen.text);
    const read = await other('GET', `/webhooks/registrations/${made.json.Id}`);
    assert.equal(read.status, 200, 'it is there on every node');
    const gone = await other('DELETE', `/webhooks/registrations/${made.json.Id}`);
    assert.equal(gone.status, 200, gone.text);
    assert.equal((await one('POST', '/webhooks/events', { Action: 'A' })).json.Deliveries, 0);
  }
  const { json } = await until(
    () => nodes[0]('GET', '/webhooks/deliveries?limit=100'),
    (page) => page.json.Items.every((item: { State: string }) => item.State !== 'pending'),
  );
  assert.equal(json.Items.length, 20);
});

test('a quota is of all nodes together, and what any of them has sent makes room', async () => {
  const [Id, MaxPending, events] = ['quota', 6, 8];
  assert.equal((await admins()[0]('POST', '/admin/tenants', { Id, MaxPending })).status, 201);
  const nodes = admins(Id);
  const paths = ['/quota/0', '/quota/1', '/quota/2'];
  const made: { Id: string; WebHookUri: string }[] = [];
  for (const path of paths) {
    const body = { WebHookUri: at + path, IsPaused: true };
    made.push({ ...body, Id: (await nodes[0]('POST', '/webhooks/registrations', body)).json.Id });
  }
  const publish = (node: number) => nodes[node]!('POST', '/webhooks/events', { Action: 'A' });
  for (const node of nodes.keys()) {
    await until(
      () => publish(node),
      ({ status }) => status === 429,
    );
  }
  const { json } = await nodes[1]('GET', '/webhooks/deliveries?state=held&count=true');
  // Each node knows at least what it accepted itself.
  assert.ok(json.Count >= MaxPending && json.Count <= nodes.length * MaxPending, `${json.Count}`);

  for (const body of made) {
    const resumed = { ...body, IsPaused: false };
    const path = `/webhooks/registrations/${body.Id}`;
    assert.equal((await nodes[0]('PUT', path, resumed)).status, 200);
  }
  const from = performance.now();
  for (let n = 0; n < events; n += 1) {
    await until(
      () => publish(0),
      ({ status }) => status === 202,
    );
  }
  const arrived = events + json.Count / paths.length;
  for (const path of paths) await receiver.expect(path, arrived);
  assert.ok(performance.now() - from < 50_000, 'without the count of each minute');
});

test('a key works on every node at once, and is refused on every node once revoked', async () => {
  await freshTenant('keyed');
  const { json } = await admins()[0]('POST', '/admin/tenants/keyed/keys', {
    Level: 'Publish',
    Name: 'n',
  });
  const nodes = callers(() => json.Key);
  for (const call of nodes)
    assert.equal((await call('POST', '/webhooks/events', { Action: 'A' })).status, 202);
  await admins()[1]('DELETE', `/admin/tenants/keyed/keys/${json.Id}`);
  const revoked = performance.now();
  for (const call of nodes) {
    await until(
      () => call('POST', '/webhooks/events', { Action: 'A' }),
      ({ status }) => status === 401,
    );
  }
  assert.ok(performance.now() - revoked < 1000);
});

test('each event arrives once, whichever node took it', async () => {
  const nodes = await freshTenant('spread');
  for (let n = 0; n < 6; n += 1)
    await nodes[n % 3]!('POST', '/webhooks/registrations', { WebHookUri: `${at}/spread${n}` });
  await Promise.all(
    Array.from({ length: 90 }, (_, n) =>
      nodes[n % 3]!('POST', '/webhooks/events', { Action: 'A', n }),
    ),
  );
  for (let n = 0; n < 6; n += 1) {
    const received = await receiver.expect(`/spread${n}`, 90);
    assert.equal(new Set(received.map(({ body }) => JSON.parse(body).Id)).size, 90);
    assert.equal(received.length, 90);
  }
});

test('what one node accepted is found on the others at once', async () => {
  const nodes = await freshTenant('found');
  for (let round = 1; round <= 30; round += 1) {
    const [one, ...others] = [0, 1, 2].map((n) => nodes[(round + n) % 3]!);
    assert.equal((await one!('POST', '/webhooks/events', { Action: 'Found', round })).status, 202);
    for (const other of others) {
      const { json } = await other('GET', '/webhooks/events?action=Found&limit=100');
      assert.equal(json.Items.length, round);
    }
  }
});

test('what is paused, resumed, retried and cancelled on any node is so on the one that sends', async () => {
  const nodes = await freshTenant('changed');
  for (let round = 0; round < 3; round += 1) {
    const [one, two, three] = [0, 1, 2].map((n) => nodes[(round + n) % 3]!) as [Call, Call, Call];
    const draft = { WebHookUri: `${at}/changed${round}`, Secret: 's'.repeat(32) };
    const { json } = await one('POST', '/webhooks/registrations', draft);
    const path = `/webhooks/registrations/${json.Id}`;
    const pause = (isPaused: boolean, call: Call) =>
      call('PUT', path, { ...draft, Id: json.Id, IsPaused: isPaused });
    assert.equal((await pause(true, two)).status, 200);
    await three('POST', '/webhooks/events', { Action: 'A' });
    const list = () => one('GET', `/webhooks/deliveries?registrationId=${json.Id}`);
    const [held] = (await list()).json.Items;
    assert.equal(held.State, 'held');
    assert.equal((await pause(false, three)).status, 200);
    await receiver.expect(`/changed${round}`, 1);
    await until(list, (page) => page.json.Items[0].State === 'delivered');
    const retried = await two('POST', `/webhooks/deliveries/${held.Id}/retry`);
    assert.ok(retried.status < 300, retried.text);
    await receiver.expect(`/changed${round}`, 2);
    await pause(true, one);
    await two('POST', '/webhooks/events', { Action: 'A' });
    const [waiting] = (await list()).json.Items;
    const cancelled = await three('POST', `/webhooks/deliveries/${waiting.Id}/cancel`);
    assert.ok(cancelled.status < 300, cancelled.text);
    assert.equal((await list()).json.Items[0].State, 'cancelled');
  }
});

test('nodes that come and go share the work anew, and nothing is lost or repeated', async () => {
  const nodes = await freshTenant('moving');
  for (let n = 0; n < 6; n += 1)
    await nodes[0]('POST', '/webhooks/registrations', { WebHookUri: `${at}/moving${n}` });
  let sent = 0;
  const publishing = new AbortController();
  const publish = async (): Promise<void> => {
    while (!publishing.signal.aborted) {
      const { status } = await nodes[0]('POST', '/webhooks/events', { Action: 'A' });
      assert.equal(status, 202);
      sent += 1;
    }
  };
  const publishers = [publish(), publish()];
  await servers[2]!.stop();
  await until(shards, (each) => each.length === 2 && each.every((count) => count === 32));
  await servers[2]!.start();
  await until(shards, (each) => each.length === 3 && each.every((count) => count >= 21));
  publishing.abort();
  await Promise.all(publishers);
  for (let n = 0; n < 6; n += 1) {
    const received = await receiver.expect(`/moving${n}`, sent);
    assert.equal(received.length, sent);
    assert.equal(new Set(received.map(({ body }) => JSON.parse(body).Id)).size, sent);
  }
});

test('while the database is away nothing is acknowledged, and all goes on when it is back', async () => {
  const postgres = await PostgresServer.create();
  const server = new TestServer({ databaseUrl: postgres.url('postgres'), ...KEYS });
  try {
    await server.start();
    const call = caller(server, () => KEYS.adminKey);
    await call('POST', '/webhooks/registrations', { WebHookUri: `${at}/away` });
    assert.equal((await call('POST', '/webhooks/events', { Action: 'A' })).status, 202);
    await receiver.expect('/away', 1);
    await postgres.stop('immediate');
    const refused = await call('POST', '/webhooks/events', { Action: 'A' });
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/);
    assert.equal((await call('GET', '/health/ready')).status, 503);
    assert.equal((await call('GET', '/health/live')).status, 200);
    await postgres.start();
    const from = performance.now();
    await until(
      () => call('POST', '/webhooks/events', { Action: 'A' }),
      ({ status }) => status === 202,
    );
    await receiver.expect('/away', 2);
    assert.ok(performance.now() - from < 5000, `${performance.now() - from} ms`);
    assert.equal((await call('GET', '/health/ready')).status, 200);
  } finally {
    await server.end();
    await postgres.remove();
  }
});
