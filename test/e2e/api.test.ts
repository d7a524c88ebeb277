import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { caller, TestReceiver, TestServer, until } from './harness.ts';

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

/** A tenant with a key, and a registration for a path of its own. */
async function freshTenant(id: string, level = 'Full control') {
  await admin('POST', '/admin/tenants', { Id: id });
  const { json } = await admin('POST', `/admin/tenants/${id}/keys`, { Level: level, Name: 'test' });
  const call = caller(server, () => json.Key);
  const register = async (path: string, rest: object = {}) => {
    const made = await call('POST', '/webhooks/registrations', { WebHookUri: at + path, ...rest });
    assert.equal(made.status, 201, made.text);
    return made.json;
  };
  return { call, register, key: json.Key as string, keyId: json.Id as string };
}

test('what the publisher wrote is what the receiver reads, and both signatures verify', async () => {
  const { call, register } = await freshTenant('bytes');
  const { Secret } = await register('/bytes', { Properties: { n: 1 } });
  const notification =
    '{ "Action":"CourseCompleted", "n":12345678901234567890, "e":1e400, "one":1.0, "s":"\\u0000\\ud800 ø 😀", "b":{"z":1,"a":2} }';
  const published = await call('POST', '/webhooks/events', notification);
  assert.equal(published.status, 202);
  const [delivery] = await receiver.expect('/bytes', 1);
  assert.ok(delivery !== undefined);
  assert.ok(
    delivery?.body.endsWith(`"Attempt":1,"Properties":{"n":1},"Notifications":[${notification}]}`),
    delivery?.body,
  );
  new Webhook(Buffer.from(Secret).toString('base64')).verify(
    delivery.body,
    delivery.headers as Record<string, string>,
  );
  assert.match(String(delivery.headers['ms-signature']), /^sha256=[0-9A-F]{64}$/);
  assert.equal(delivery.headers['content-type'], 'application/json; charset=utf-8');
});

test('one event, many, an array of either and lines are all taken, in one call each', async () => {
  const { call, register } = await freshTenant('shapes');
  await register('/shapes', { Filters: ['CourseStarted', 'CourseCompleted'] });
  const batch = {
    Notifications: [
      { Action: 'CourseStarted' },
      { Action: 'UserCreated' },
      { Action: 'coursecompleted', x: 1 },
    ],
  };
  const event = await call('POST', '/webhooks/events', batch);
  assert.deepEqual([event.status, event.json.Deliveries], [202, 1]);
  const [delivery] = await receiver.expect('/shapes', 1);
  assert.ok(
    delivery?.body.endsWith(
      '"Notifications":[{"Action":"CourseStarted"},{"Action":"coursecompleted","x":1}]}',
    ),
  );
  const array = await call('POST', '/webhooks/events', [{ Action: 'UserCreated' }, batch]);
  assert.deepEqual(
    array.json.map((receipt: { Deliveries: number }) => receipt.Deliveries),
    [0, 1],
  );
  const lines = await call(
    'POST',
    '/webhooks/events',
    '{"Action":"CourseStarted"}\n{"Action":"X"}\n',
    { 'content-type': 'application/x-ndjson' },
  );
  assert.deepEqual(
    lines.json.map((receipt: { Deliveries: number }) => receipt.Deliveries),
    [1, 0],
  );
});

test('a repeated idempotency key answers as before and sends nothing twice; with other content it conflicts', async () => {
  const { call, register } = await freshTenant('once');
  await register('/once');
  const key = { 'idempotency-key': 'k1' };
  const first = await call('POST', '/webhooks/events', { Action: 'A' }, key);
  const again = await call('POST', '/webhooks/events', { Action: 'A' }, key);
  const other = await call('POST', '/webhooks/events', { Action: 'B' }, key);
  assert.equal(again.text, first.text);
  assert.equal(other.status, 409);
  const events = [
    { Notifications: [{ Action: 'A' }], IdempotencyKey: 'e1' },
    { Notifications: [{ Action: 'B' }], IdempotencyKey: 'e2' },
  ];
  const both = await call('POST', '/webhooks/events', events);
  assert.equal(
    (await call('POST', '/webhooks/events', events.toReversed())).text,
    JSON.stringify(both.json.toReversed()),
  );
  const { json } = await call('GET', '/webhooks/events');
  assert.equal(json.Items.length, 3);
});

test('a failed delivery is tried again with its id, one more attempt, and a sentence for each', async () => {
  const { call, register } = await freshTenant('retries');
  const { Id } = await register('/retries', { Headers: { Authorization: 'Bearer very-secret' } });
  receiver.answer = (response, { path, body }) => {
    const fails = path === '/retries' && body.includes('"Attempt":1');
    response.writeHead(fails ? 503 : 204).end();
  };
  await call('POST', '/webhooks/events', { Action: 'A' });
  const [first, second] = await receiver.expect('/retries', 2);
  assert.equal(JSON.parse(first?.body ?? '').Id, JSON.parse(second?.body ?? '').Id);
  assert.equal(JSON.parse(second?.body ?? '').Attempt, 2);
  assert.equal(second?.headers.authorization, 'Bearer very-secret');
  const page = await until(
    () => call('GET', `/webhooks/deliveries?registrationId=${Id}`),
    ({ json }) => json.Items[0].State === 'delivered',
  );
  const delivery = await call('GET', `/webhooks/deliveries/${page.json.Items[0].Id}`);
  const [failed, delivered] = delivery.json.History;
  assert.match(failed.Sentence, /answered 503: it is not available/);
  assert.equal(delivered.Response.Status, 204);
  assert.equal(delivered.Request.Body, second?.body);
  assert.doesNotMatch(delivery.text, /very-secret/);
  receiver.answer = (response) => response.writeHead(200).end();
});

test('a delivery that ended can be sent again by hand', async () => {
  const { call, register } = await freshTenant('again');
  await register('/again');
  await call('POST', '/webhooks/events', { Action: 'A' });
  await receiver.expect('/again', 1);
  const page = await until(
    () => call('GET', '/webhooks/deliveries?state=delivered'),
    ({ json }) => json.Items.length === 1,
  );
  const id = page.json.Items[0].Id;
  assert.equal((await call('POST', `/webhooks/deliveries/${id}/retry`)).status, 202);
  await receiver.expect('/again', 2);
  await until(
    () => call('GET', `/webhooks/deliveries/${id}`),
    ({ json }) => json.State === 'delivered' && json.Attempts === 2,
  );
  assert.equal((await call('POST', `/webhooks/deliveries/${id}/cancel`)).status, 409);
});

test('while a registration is paused its deliveries are held, and sent when it goes on', async () => {
  const { call, register } = await freshTenant('paused');
  const { Id } = await register('/paused', { IsPaused: true });
  await call('POST', '/webhooks/events', { Action: 'A' });
  const held = await call('GET', '/webhooks/deliveries?state=held');
  assert.equal(held.json.Items.length, 1);
  const resumed = await call('PUT', `/webhooks/registrations/${Id}`, {
    Id,
    WebHookUri: `${at}/paused`,
  });
  assert.equal(resumed.status, 200);
  await receiver.expect('/paused', 1);
});

test('deleting a registration cancels what waits for it', async () => {
  const { call, register } = await freshTenant('deleted');
  const { Id } = await register('/deleted', { IsPaused: true });
  await call('POST', '/webhooks/events', { Action: 'A' });
  assert.equal((await call('DELETE', `/webhooks/registrations/${Id}`)).status, 200);
  const page = await until(
    () => call('GET', '/webhooks/deliveries'),
    ({ json }) => json.Items[0].State === 'cancelled',
  );
  assert.equal(page.json.Items[0].Reason, 'registration deleted');
  assert.equal((await call('POST', '/webhooks/events', { Action: 'B' })).json.Deliveries, 0);
});

test('410 switches the registration off and holds what comes; a PUT switches it on again', async () => {
  const { call, register } = await freshTenant('gone');
  const { Id } = await register('/gone');
  let gone = true;
  receiver.answer = (response, { path }) =>
    response.writeHead(path === '/gone' && gone ? 410 : 200).end();
  await call('POST', '/webhooks/events', { Action: 'A' });
  const off = await until(
    () => call('GET', `/webhooks/registrations/${Id}`),
    ({ json }) => json.SwitchedOff !== undefined,
  );
  assert.match(off.json.SwitchedOff.Reason, /410/);
  await call('POST', '/webhooks/events', { Action: 'B' });
  await until(
    () => call('GET', '/webhooks/deliveries?state=held'),
    ({ json }) => json.Items.length === 2,
  );
  gone = false;
  await call('PUT', `/webhooks/registrations/${Id}`, { Id, WebHookUri: `${at}/gone` });
  await receiver.expect('/gone', 3);
  receiver.answer = (response) => response.writeHead(200).end();
});

test('what an endpoint refused with 410 goes on as often as it is switched on again', async () => {
  const { call, register } = await freshTenant('back');
  const { Id } = await register('/back');
  let gone = false;
  receiver.answer = (response, { path }) =>
    response.writeHead(path === '/back' && gone ? 410 : 200).end();
  await call('POST', '/webhooks/events', { Action: 'A' });
  await receiver.expect('/back', 1);
  for (let round = 1; round <= 10; round += 1) {
    gone = true;
    await call('POST', '/webhooks/events', { Action: 'B' });
    await until(
      () => call('GET', `/webhooks/registrations/${Id}`),
      ({ json }) => json.SwitchedOff !== undefined,
    );
    gone = false;
    await call('PUT', `/webhooks/registrations/${Id}`, { Id, WebHookUri: `${at}/back` });
    await until(
      () => call('GET', '/webhooks/deliveries?state=delivered'),
      ({ json }) => json.Items.length === 1 + round,
    );
  }
  receiver.answer = (response) => response.writeHead(200).end();
});

test('secrets are shown once, and PUT with the masked one keeps it', async () => {
  const { call, register } = await freshTenant('masked');
  const { Id, Secret } = await register('/masked');
  const masked = `****${Secret.slice(-4)}`;
  assert.equal((await call('GET', `/webhooks/registrations/${Id}`)).json.Secret, masked);
  await call('PUT', `/webhooks/registrations/${Id}`, {
    Id,
    WebHookUri: `${at}/masked`,
    Secret: masked,
  });
  await call('POST', '/webhooks/events', { Action: 'A' });
  const [delivery] = await receiver.expect('/masked', 1);
  new Webhook(Buffer.from(Secret).toString('base64')).verify(
    delivery?.body ?? '',
    delivery?.headers as Record<string, string>,
  );
});

test('no secret, header value or query lies in the store in clear', async () => {
  const { register } = await freshTenant('sealed');
  const secret = 'planted-secret-planted-secret-planted';
  await register('/sealed?noecho&sig=planted-query', {
    Secret: secret,
    Headers: { Authorization: 'planted-header' },
  });
  const stored = await server.stored();
  assert.ok(stored.includes('sealed'), 'the tenant is there');
  for (const planted of [secret, 'planted-query', 'planted-header'])
    assert.equal(stored.includes(planted), false, planted);
});

test('another tenant’s ids answer as unknown ones, on every path', async () => {
  const owner = await freshTenant('owner');
  const stranger = await freshTenant('stranger');
  const { Id } = await owner.register('/owner');
  const event = await owner.call('POST', '/webhooks/events', { Action: 'A' });
  await receiver.expect('/owner', 1);
  const delivery = (await owner.call('GET', '/webhooks/deliveries')).json.Items[0].Id;
  const unknown = '0'.repeat(32);
  const paths: [string, string, string][] = [
    ['GET', '/webhooks/registrations/', Id],
    ['DELETE', '/webhooks/registrations/', Id],
    ['GET', '/webhooks/events/', event.json.Id],
    ['GET', '/webhooks/deliveries/', delivery],
  ];
  for (const [method, path, id] of paths) {
    const [foreign, none] = [
      await stranger.call(method, path + id),
      await stranger.call(method, path + unknown),
    ];
    assert.deepEqual([foreign.status, foreign.text], [404, none.text], path);
  }
  for (const action of ['retry', 'cancel']) {
    assert.equal(
      (await stranger.call('POST', `/webhooks/deliveries/${delivery}/${action}`)).status,
      404,
    );
  }
  const put = await stranger.call('PUT', `/webhooks/registrations/${Id}`, {
    Id,
    WebHookUri: `${at}/owner`,
  });
  assert.equal(put.status, 404);
  assert.deepEqual(
    (await stranger.call('GET', `/webhooks/deliveries?registrationId=${Id}`)).json.Items,
    [],
  );
  const named = caller(server, () => stranger.key, 'owner');
  assert.equal((await named('GET', '/webhooks/registrations')).status, 404);
  assert.equal((await owner.call('GET', `/webhooks/registrations/${Id}`)).status, 200);
});

test('each level of key may do its part and no more', async () => {
  const calls: [string, string, unknown, string[]][] = [
    ['GET', '/webhooks/registrations', undefined, ['Read only', 'Full control']],
    ['GET', '/webhooks/deliveries', undefined, ['Read only', 'Full control']],
    ['POST', '/webhooks/registrations', { WebHookUri: `${at}/level` }, ['Full control']],
    ['DELETE', '/webhooks/registrations', undefined, ['Full control']],
    ['POST', '/webhooks/events', { Action: 'A' }, ['Full control', 'Publish']],
    ['GET', '/admin/tenants', undefined, []],
  ];
  for (const level of ['Read only', 'Full control', 'Publish']) {
    const { call } = await freshTenant(`level-${level.toLowerCase().replace(' ', '-')}`, level);
    for (const [method, path, body, allowed] of calls) {
      const { status } = await call(method, path, body);
      assert.equal(
        status === 403,
        !allowed.includes(level),
        `${level} ${method} ${path}: ${status}`,
      );
    }
  }
});

/** From another address of the loopback, so that its failures count for it alone. */
function guess(key: string): Promise<number | undefined> {
  const { port } = new URL(server.running.url);
  const headers = { authorization: `Bearer ${key}` };
  return new Promise((resolve) =>
    httpRequest(
      { host: '127.0.0.1', port, localAddress: '127.0.0.2', path: '/webhooks/filters', headers },
      (response) => resolve(response.resume().statusCode),
    ).end(),
  );
}

test('a key works until it is revoked or has expired, and wrong ones are slowed down', async () => {
  const { call, key, keyId } = await freshTenant('revoked');
  assert.equal((await call('GET', '/webhooks/filters')).status, 200);
  assert.equal((await admin('DELETE', `/admin/tenants/revoked/keys/${keyId}`)).status, 204);
  assert.equal((await call('GET', '/webhooks/filters')).status, 401);
  const expired = await admin('POST', '/admin/tenants/revoked/keys', {
    Level: 'Read only',
    ExpiresAt: '2020-01-01T00:00:00Z',
  });
  assert.equal(
    (await caller(server, () => expired.json.Key)('GET', '/webhooks/filters')).status,
    401,
  );
  const statuses: unknown[] = [];
  for (let n = 0; n < 12; n += 1) statuses.push(await guess(`guess-${n}`));
  assert.deepEqual(statuses.slice(8), [401, 401, 429, 429]);
  assert.equal(await guess(server.running.adminKey), 200, 'the right key, from the same address');
  assert.equal((await admin('GET', '/webhooks/filters')).status, 200, 'the right key');
  const bearer = await fetch(`${server.running.url}/webhooks/filters`, {
    headers: { authorization: `bearer ${server.running.adminKey}` },
  });
  assert.equal(bearer.status, 200);
  assert.doesNotMatch(
    JSON.stringify((await admin('GET', '/admin/tenants/revoked/keys')).json),
    new RegExp(key),
  );
});

test('an automation tool subscribes with its callback alone and unsubscribes twice', async () => {
  const { call } = await freshTenant('tool');
  const callback = `${at}/tool?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=aB%3D`;
  const made = await call('POST', '/api/webhooks/subscribe/courseenrollment', {
    WebHookUri: callback,
  });
  assert.equal(made.status, 201);
  assert.deepEqual(
    [made.json.Filters, made.json.WebHookUri, made.json.id],
    [['CourseEnrollment'], callback, made.json.Id],
  );
  const location = made.headers.get('location') ?? '';
  assert.equal(location, `${server.running.url}/api/webhooks/subscribe/${made.json.Id}`);
  await call('POST', '/webhooks/events', { Action: 'CourseEnrollment' });
  const [delivery] = await receiver.expect('/tool', 1);
  assert.equal(JSON.parse(delivery?.body ?? '').Notifications.length, 1);
  const path = new URL(location).pathname;
  assert.deepEqual(
    [(await call('DELETE', path)).status, (await call('DELETE', path)).status],
    [200, 200],
  );
  await call('POST', '/webhooks/subscribe/UserCreated', { WebHookUri: callback });
  assert.equal(
    (await call('POST', '/webhooks/unsubscribe', { WebHookUri: callback })).json.Removed,
    1,
  );
  assert.equal(
    (await call('POST', '/webhooks/subscribe/Nope', { WebHookUri: callback })).status,
    404,
  );
});

test('those of one URI can be deleted, and a misspelt parameter deletes nothing', async () => {
  const { call, register } = await freshTenant('byuri');
  await register('/byuri?a=%2F1');
  await register('/byuri?a=%2F1');
  const { Id } = await register('/byuri?a=/1');
  const path = '/webhooks/registrations';
  assert.equal((await call('DELETE', `${path}?uri=x`)).status, 400);
  assert.equal((await call('GET', path)).json.length, 3);
  const uri = encodeURIComponent(`${at}/byuri?a=%2F1`);
  assert.equal((await call('DELETE', `${path}?webHookUri=${uri}`)).status, 200);
  assert.deepEqual(
    (await call('GET', path)).json.map((each: { Id: string }) => each.Id),
    [Id],
  );
});

test('a test sends the example of a filter through the same code and answers with the attempt', async () => {
  const { call, register } = await freshTenant('tested');
  const { Id } = await register('/tested');
  const answer = await call('POST', `/webhooks/registrations/${Id}/test`, {
    Filter: 'UserCreated',
  });
  assert.equal(answer.status, 200);
  assert.deepEqual([answer.json.Outcome, answer.json.Response.Status], ['http_2xx', 200]);
  const [delivery] = await receiver.expect('/tested', 1);
  assert.equal(JSON.parse(delivery?.body ?? '').Notifications[0].Action, 'UserCreated');
  assert.equal((await call('POST', `/webhooks/registrations/${Id}/test`)).status, 429);
  assert.deepEqual((await call('GET', '/webhooks/deliveries')).json.Items, []);
});

test('an operator adds filters, which can be subscribed to from then on', async () => {
  const put = await admin('PUT', '/admin/filters/BadgeAwarded', {
    description: 'A badge.',
    Example: { Action: 'BadgeAwarded' },
    Subjects: [{ Kind: 'learner', Path: 'Users[].Id' }],
  });
  assert.equal(put.status, 201, put.text);
  const { call, register } = await freshTenant('badges');
  await register('/badges', { Filters: ['badgeawarded'] });
  assert.equal((await call('GET', '/webhooks/filters')).json.at(-1).Name, '*');
  assert.equal((await call('GET', '/webhooks/filters/BADGEAWARDED')).json.Description, 'A badge.');
  assert.deepEqual((await call('GET', '/webhooks/filters/BadgeAwarded/samples')).json, [
    { Action: 'BadgeAwarded' },
  ]);
  assert.equal(
    (await admin('PUT', '/admin/filters/CourseCompleted', { Description: 'x' })).status,
    409,
  );
  assert.equal((await admin('PUT', '/admin/filters/bad name', { Description: 'x' })).status, 400);
  assert.equal((await admin('DELETE', '/admin/filters/BadgeAwarded')).status, 204);
});

test('an admin reaches all tenants at once', async () => {
  const one = await freshTenant('all-one');
  const two = await freshTenant('all-two');
  await one.register('/all', { Filters: ['CoursePublished'] });
  await two.register('/all', { Filters: ['*'] });
  const answer = await admin('POST', '/webhooks/events', {
    Notifications: [{ Action: 'CoursePublished', only: 'here' }],
    Tenant: '*',
  });
  assert.equal(answer.status, 202);
  await receiver.expect('/all', 2);
  const refused = await one.call('POST', '/webhooks/events', {
    Notifications: [{ Action: 'A' }],
    Tenant: 'all-two',
  });
  assert.equal(refused.status, 403);
  assert.equal(
    (
      await admin('POST', '/webhooks/events', {
        Notifications: [{ Action: 'A' }],
        Tenant: 'nobody',
      })
    ).status,
    404,
  );
});

test('pages of the log follow each other without gap or repetition', async () => {
  const { call, register } = await freshTenant('pages');
  await register('/pages');
  await call(
    'POST',
    '/webhooks/events',
    Array.from({ length: 25 }, (_, n) => ({ Action: 'A', n })),
  );
  const ids: string[] = [];
  for (let cursor = ''; ;) {
    const { json } = await call('GET', `/webhooks/deliveries?limit=10${cursor}`);
    ids.push(...json.Items.map((item: { Id: string }) => item.Id));
    if (json.Next === null) break;
    cursor = `&cursor=${json.Next}`;
  }
  assert.equal(new Set(ids).size, 25);
  assert.deepEqual(ids, ids.toSorted().toReversed());
  for (const query of [
    'cursor=nonsense',
    'limit=0',
    'limit=x',
    'state=lost',
    'from=yesterday',
    'colour=red',
    'limit=1&limit=2',
  ]) {
    const { status, json } = await call('GET', `/webhooks/deliveries?${query}`);
    assert.equal(status, 400, query);
    assert.match(json.Message, /\.$/);
  }
});

test('bodies that cannot be taken are refused with a sentence', async () => {
  const { call } = await freshTenant('bodies');
  const publish = (body: string, type = 'application/json') =>
    call('POST', '/webhooks/events', body, { 'content-type': type });
  assert.equal((await publish('{')).status, 400);
  assert.equal((await publish('x', 'text/plain')).status, 415);
  assert.match((await publish('{}', 'json')).json.Message, /not a media type/);
  assert.equal((await publish('\uFEFF{"Action":"A"}')).status, 202);
  assert.equal(
    (await publish('{"Action":"A"}', 'application/json; charset=iso-8859-1')).status,
    415,
  );
  assert.equal((await publish(`{"Action":"A","x":"${'x'.repeat(1024 * 1024)}"}`)).status, 413);
  assert.equal((await publish(`{"Action":"A","x":"${'x'.repeat(300 * 1024)}"}`)).status, 413);
  assert.match((await publish('')).json.Message, /The body is empty/);
  const headers = {
    authorization: `Bearer ${server.running.adminKey}`,
    'content-type': 'application/json',
  };
  const invalid = await fetch(`${server.running.url}/webhooks/events`, {
    method: 'POST',
    headers,
    body: Buffer.from([0x7b, 0xff, 0x7d]),
  });
  assert.equal(invalid.status, 400);
  assert.match(await invalid.text(), /not valid UTF-8/);
});

test('a request with two Host headers is refused', async () => {
  const { port } = new URL(server.running.url);
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(
        'GET /webhooks/filters HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
      ),
    );
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
  });
  assert.match(answer, /^HTTP\/1\.1 400 /);
});

test('a tenant that is deleted takes its registrations, keys and events with it', async () => {
  const { call, register } = await freshTenant('leaving');
  await register('/leaving');
  assert.equal((await admin('DELETE', '/admin/tenants/leaving')).status, 204);
  assert.equal((await call('GET', '/webhooks/filters')).status, 401);
  assert.equal((await admin('GET', '/admin/tenants/leaving')).status, 404);
  assert.equal((await admin('POST', '/admin/tenants', { Id: 'Not Allowed' })).status, 400);
  assert.equal((await admin('POST', '/admin/tenants', { Id: 'default' })).status, 409);
});

test('the documents describe every route, and every reference resolves', async () => {
  const { json } = await admin('GET', '/openapi.json');
  assert.equal(json.openapi, '3.1.0');
  assert.equal(Object.keys(json.webhooks).length, 11 + 9);
  for (const path of [
    '/webhooks/registrations/{id}',
    '/webhooks/events',
    '/webhooks/deliveries/{id}/retry',
    '/admin/tenants/{id}/keys',
    '/webhooks/subscribe/{filter}',
  ])
    assert.ok(path in json.paths, path);
  for (const [path, item] of Object.entries<Record<string, { operationId?: string }>>(json.paths)) {
    for (const [method, operation] of Object.entries(item))
      assert.ok(operation.operationId, `${method} ${path}`);
  }
  assert.doesNotMatch(JSON.stringify(json), /"\$ref"/);
  const swagger = (await admin('GET', '/swagger/docs/v1')).json;
  assert.equal(swagger.swagger, '2.0');
  const trigger = swagger.paths['/webhooks/subscribe/CourseEnrollment'];
  assert.equal(trigger.post['x-ms-trigger'], 'single');
  assert.ok(trigger['x-ms-notification-content'].schema.properties.Notifications);
  assert.ok(swagger.paths['/webhooks/subscribe/{id}'].delete);
  const page = await fetch(`${server.running.url}/swagger/`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
});

test('probes and metrics answer without a key, and name no tenant', async () => {
  for (const path of ['/health/live', '/health/ready'])
    assert.equal((await fetch(server.running.url + path)).status, 200);
  const metrics = await (await fetch(`${server.running.url}/metrics`)).text();
  assert.match(metrics, /schoolbell_events_accepted_total \d/);
  assert.match(metrics, /schoolbell_attempts_total\{outcome="http_2xx"\} \d/);
  assert.doesNotMatch(metrics, /owner|stranger/);
});

test('what was pending at a stop goes on at the next start', async () => {
  const { call, register } = await freshTenant('restart');
  const { Secret } = await register('/restart');
  let open = false;
  receiver.answer = (response, { path }) =>
    response.writeHead(path === '/restart' && !open ? 500 : 200).end();
  await call('POST', '/webhooks/events', { Action: 'A' });
  await receiver.expect('/restart', 1);
  await server.stop();
  const before = receiver.received.filter(({ path }) => path === '/restart').length;
  open = true;
  await server.start();
  const all = await receiver.expect('/restart', before + 1);
  new Webhook(Buffer.from(Secret).toString('base64')).verify(
    all.at(-1)?.body ?? '',
    all.at(-1)?.headers as Record<string, string>,
  );
  await until(
    () => call('GET', '/webhooks/deliveries'),
    ({ json }) => json.Items[0].State === 'delivered',
  );
  receiver.answer = (response) => response.writeHead(200).end();
});

test('a HEAD is refused without a body and paths are found in any case', async () => {
  const { port } = new URL(server.running.url);
  const status = await new Promise((resolve) =>
    httpRequest({ port, method: 'HEAD', path: '/webhooks/filters' }, (response) =>
      resolve(response.statusCode),
    ).end(),
  );
  assert.equal(status, 405);
  assert.equal((await admin('GET', '/API/WebHooks/Filters/')).status, 200);
});

test('a path that cannot be routed is refused with a sentence, and an absolute one is routed', async () => {
  const { port } = new URL(server.running.url);
  const ask = (path: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${server.running.adminKey}` };
      const asked = httpRequest({ host: '127.0.0.1', port, path, headers }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode, text }));
      });
      asked.on('error', reject);
      asked.end();
    });
  const registrations = '/webhooks/registrations';
  assert.deepEqual(await ask(`${registrations}/%zz`), {
    status: 400,
    text: '{"Message":"The path holds a percent sign that begins no escape."}',
  });
  assert.deepEqual(await ask(`${registrations}/${'a'.repeat(3000)}`), {
    status: 414,
    text: '{"Message":"The path is too long."}',
  });
  assert.equal((await ask(`http://lms.example${registrations}`)).status, 200);
  const unknown = await ask('http://lms.example/api/nothing');
  assert.deepEqual(
    [unknown.status, unknown.text.endsWith(`'http://127.0.0.1:${port}/api/nothing'."}`)],
    [404, true],
  );
});
