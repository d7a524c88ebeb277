import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { caller, type Json, TestReceiver, TestServer, until } from '../e2e/harness.ts';
import { rawAnswers, rawCall } from './raw-call.ts';

const server = new TestServer({ receiveTimeoutMs: 2000 });
const receiver = new TestReceiver();
const admin = caller(server, () => server.running.adminKey);
let at = '';
let port = 0;
const cleanPrototype = JSON.stringify(Object.getOwnPropertyNames(Object.prototype));

before(async () => {
  await server.start();
  at = await receiver.listen();
  port = Number(new URL(server.running.url).port);
});

after(async () => {
  await server.end();
  await receiver.close();
  assert.equal(JSON.stringify(Object.getOwnPropertyNames(Object.prototype)), cleanPrototype);
});

async function freshTenant(Id: string, Level = 'Full control') {
  await admin('POST', '/admin/tenants', { Id });
  const { json } = await admin('POST', `/admin/tenants/${Id}/keys`, { Level });
  return { call: caller(server, () => json.Key), key: json.Key as string };
}

const lines = (...all: string[]): string => `${all.join('\r\n')}\r\n\r\n`;

test('two Authorization headers are refused, whichever of them is right', async () => {
  const { key } = await freshTenant('two-headers');
  for (const pair of [
    [`Authorization: Bearer ${key}`, 'authorization: Bearer wrong'],
    ['Authorization: Bearer wrong', `AUTHORIZATION: Bearer ${key}`],
  ]) {
    const get = lines('GET /webhooks/filters HTTP/1.1', 'Host: a', 'Connection: close', ...pair);
    assert.equal((await rawCall({ port, pieces: [get] })).status, 400);
  }
});

test('a key counts in the Authorization header only', async () => {
  const { key } = await freshTenant('elsewhere');
  for (const [path, headers] of [
    [`/webhooks/filters?key=${key}&access_token=${key}&api_key=${key}`, {}],
    ['/webhooks/filters', { cookie: `key=${key}; session=${key}` }],
    ['/webhooks/filters', { 'x-api-key': key, 'proxy-authorization': `Bearer ${key}` }],
  ] as const) {
    const answer = await fetch(server.running.url + path, { headers });
    assert.equal(answer.status, 401, path);
  }
});

test('letters that fold to others make no other tenant and no other filter', async () => {
  const { call } = await freshTenant('bank');
  for (const Id of [
    'ban\u212a',
    'BANK',
    'ban\uff4b',
    'b\u0430nk',
    'bank ',
    'bank\u0000',
    'ban\u200bk',
  ]) {
    assert.equal((await admin('POST', '/admin/tenants', { Id })).status, 400, JSON.stringify(Id));
    const path = `/admin/tenants/${encodeURIComponent(Id)}/keys`;
    assert.equal((await admin('POST', path, { Level: 'Full control' })).status, 404);
  }
  await admin('PUT', '/admin/filters/BookingLisi', { Description: 'd' });
  for (const name of [
    'Boo\u212aingLisi',
    'BookingLi\u017fi',
    'Booking\u0130L\u0131si',
    'BookingLisi\u0000',
  ]) {
    const path = `/webhooks/filters/${encodeURIComponent(name)}`;
    assert.equal((await call('GET', path)).status, 404, JSON.stringify(name));
    const Filters = [name];
    const made = await call('POST', '/webhooks/registrations', {
      WebHookUri: `${at}/?noecho`,
      Filters,
    });
    assert.equal(made.status, 400);
    const put = await admin('PUT', path.replace('/webhooks', '/admin'), { Description: 'd' });
    assert.equal(put.status, 400);
  }
});

test('an idempotency key is its tenant’s: others neither see its answer nor use it up', async () => {
  const one = await freshTenant('key-one');
  const other = await freshTenant('key-other', 'Publish');
  const header = { 'idempotency-key': 'the same' };
  const first = await one.call('POST', '/webhooks/events', { Action: 'A', of: 'one' }, header);
  const second = await other.call('POST', '/webhooks/events', { Action: 'A', of: 'other' }, header);
  assert.deepEqual([first.status, second.status], [202, 202]);
  assert.notEqual(first.json.Id, second.json.Id);
  const again = await other.call('POST', '/webhooks/events', { Action: 'A', of: 'one' }, header);
  assert.equal(again.status, 409, 'its own, with other content');
});

test('members named like parts of every object are data or unknown, and change no object', async () => {
  const { call } = await freshTenant('proto');
  const evil =
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":1}';
  const made = await call(
    'POST',
    '/webhooks/registrations',
    `{"WebHookUri":"${at}/proto?noecho","Properties":${evil},"__proto__":{"IsPaused":true}}`,
  );
  assert.equal(made.status, 201, made.text);
  assert.ok(made.text.includes(evil) && made.text.includes('"IsPaused":false'));
  await call('POST', '/webhooks/events', `{"Action":"A","__proto__":{"polluted":1}}`);
  const [delivery] = await receiver.expect('/proto', 1);
  assert.ok(delivery?.body.includes(`"Properties":${evil}`));
  const envelope = '{"Notifications":[{"Action":"A"}],"__proto__":{"Tenant":"*"}}';
  assert.equal((await call('POST', '/webhooks/events', envelope)).status, 400);
  const key = '{"Level":"Publish","__proto__":{"Level":"Admin"}}';
  assert.equal((await admin('POST', '/admin/tenants/proto/keys', key)).status, 400);
  const headers = `{"WebHookUri":"${at}/?noecho","Headers":{"__proto__":"x"}}`;
  assert.equal((await call('POST', '/webhooks/registrations', headers)).status, 400);
  for (const query of ['__proto__=1', '__proto__[x]=1', 'constructor=1', 'hasOwnProperty=1'])
    assert.equal((await call('GET', `/webhooks/events?${query}`)).status, 400, query);
  for (const id of ['__proto__', 'constructor', 'hasOwnProperty'])
    assert.equal((await call('GET', `/webhooks/registrations/${id}`)).status, 404, id);
  const schema = `{"Description":"d","Schema":{"type":"object","properties":{"__proto__":{"type":"string"}}}}`;
  assert.equal((await admin('PUT', '/admin/filters/constructor', schema)).status, 201);
  for (const path of ['/openapi.json', '/swagger/docs/v1'])
    assert.equal((await fetch(server.running.url + path)).status, 200);
  assert.equal(({} as Json).polluted, undefined);
});

test('a request hidden in the body of another is not answered, whatever its length is said to be', async () => {
  const { call, key } = await freshTenant('smuggled');
  const hidden = lines(
    'DELETE /webhooks/registrations HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${key}`,
  );
  await call('POST', '/webhooks/registrations', { WebHookUri: `${at}/?noecho` });
  const head = ['POST /webhooks/events HTTP/1.1', 'Host: a', `Authorization: Bearer ${key}`];
  const framings = [
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 5'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity', 'Content-Length: 5'],
    ['Transfer-Encoding: \u000bchunked', 'Content-Length: 5'],
    ['Content-Length: 5', 'Content-Length: 500'],
    ['Content-Length: +5'],
    ['Content-Length: 0x5'],
    ['Content-Length : 5'],
    ['Content-Length: 5\u0000'],
  ];
  for (const framing of framings) {
    const pieces = [
      `${lines(...head, 'Content-Type: application/json', ...framing)}0\r\n\r\n${hidden}`,
    ];
    const answers = await rawAnswers({ port, pieces });
    assert.deepEqual(
      answers.map(({ status }) => status),
      [400],
      JSON.stringify(framing),
    );
  }
  assert.equal((await call('GET', '/webhooks/registrations')).json.length, 1);
});

test('pipelined calls with two keys are each answered for their own tenant, in order', async () => {
  const [one, two] = [await freshTenant('pipe-one'), await freshTenant('pipe-two')];
  await one.call('POST', '/webhooks/registrations', { WebHookUri: `${at}/one?noecho` });
  await two.call('POST', '/webhooks/registrations', { WebHookUri: `${at}/two?noecho` });
  const count = 100;
  const calls = Array.from({ length: count }, (_, n) =>
    lines(
      'GET /webhooks/registrations HTTP/1.1',
      'Host: a',
      `Authorization: Bearer ${[one, two][n % 2]?.key}`,
      ...(n === count - 1 ? ['Connection: close'] : []),
    ),
  );
  const answers = await rawAnswers({ port, pieces: [calls.join('')] });
  assert.equal(answers.length, count);
  for (const [n, { body }] of answers.entries())
    assert.ok(
      body.includes(n % 2 === 0 ? '/one?noecho' : '/two?noecho') &&
        !body.includes(n % 2 === 0 ? '/two' : '/one'),
    );
});

test('no spelling of a path leads a key to where its level may not go', async () => {
  const { key } = await freshTenant('paths', 'Read only');
  const targets = [
    '/webhooks/../admin/tenants',
    '/webhooks/%2e%2e/admin/tenants',
    '/webhooks/..%2fadmin/tenants',
    '/webhooks/%252e%252e/admin/tenants',
    '//admin/tenants',
    '/./admin/tenants',
    '/api/api/admin/tenants',
    '/api/../admin/tenants',
    '/ADMIN/Tenants/',
    '/%61dmin/tenants',
    '/admin%2ftenants',
    '/admin/tenants;x=1',
    '/admin/tenants%00',
    '/admin/tenants?x#y',
    'http://evil.example/admin/tenants',
    '/webhooks/filters/..;/..;/admin/tenants',
    '\\admin\\tenants',
  ];
  for (const target of targets) {
    const get = lines(
      `GET ${target} HTTP/1.1`,
      'Host: a',
      'Connection: close',
      `Authorization: Bearer ${key}`,
    );
    const { status, body } = await rawCall({ port, pieces: [get] });
    assert.ok([400, 403, 404].includes(status), `${target}: ${status}`);
    assert.doesNotMatch(body, /CreatedAt/);
  }
});

test('a page of another origin may read nothing and is told of no method', async () => {
  const { key } = await freshTenant('origin');
  for (const method of ['OPTIONS', 'HEAD', 'GET', 'POST']) {
    const answer = await fetch(`${server.running.url}/webhooks/registrations`, {
      method,
      headers: {
        origin: 'https://evil.example',
        authorization: `Bearer ${key}`,
        'access-control-request-method': 'DELETE',
        'access-control-request-headers': 'authorization',
      },
    });
    const text = await answer.text();
    if (method === 'HEAD' || method === 'OPTIONS') assert.equal(answer.status, 405);
    if (method === 'HEAD') assert.equal(text, '');
    const told = [...answer.headers.keys()].filter((name) => name.startsWith('access-control'));
    assert.deepEqual(told, []);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  }
});

test('a Host that is none makes no link', async () => {
  const { key, call } = await freshTenant('host');
  const body = JSON.stringify({ WebHookUri: `${at}/host?noecho` });
  for (const host of ['a"><script>', 'a b', 'evil.example/path?', 'user@evil.example', 'a,b', '']) {
    const post = lines(
      'POST /webhooks/registrations HTTP/1.1',
      `Host: ${host}`,
      'Connection: close',
      `Authorization: Bearer ${key}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
    );
    assert.equal((await rawCall({ port, pieces: [post + body] })).status, 400, host);
  }
  assert.deepEqual((await call('GET', '/webhooks/registrations')).json, []);
});

test('a hundred callers that send a head drop by drop hold up nobody and are let go', async () => {
  const { call } = await freshTenant('slow');
  let closed = 0;
  const sockets = Array.from({ length: 100 }, () => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write('GET /webhooks/filters HTTP/1.1\r\nX: '),
    );
    socket
      .on('error', () => undefined)
      .on('close', () => (closed += 1))
      .resume();
    return socket;
  });
  const drops = setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('x');
  }, 50);
  for (let n = 0; n < 20; n += 1)
    assert.equal((await call('GET', '/webhooks/filters')).status, 200);
  await until(
    () => call('GET', '/webhooks/filters'),
    () => closed === sockets.length,
  );
  clearInterval(drops);
});

test('a filter’s schema and example are shown and never run: patterns that never end cost nothing', async () => {
  const { call } = await freshTenant('schemas');
  const evil = '^(([a-z])+.)+[A-Z]([a-z])+$';
  const text = 'a'.repeat(40_000);
  const put = (rest: object) =>
    admin('PUT', '/admin/filters/Evil', {
      Description: '</script><script>alert(1)</script>',
      ...rest,
    });
  const Schema = {
    $ref: '#',
    $schema: 'http://169.254.169.254/schema',
    pattern: evil,
    patternProperties: { [evil]: { $ref: 'file:///etc/passwd' } },
    default: 'x); process.exit(1); (',
  };
  assert.equal((await put({ Schema, Example: { Action: 'Evil', text } })).status, 201);
  assert.equal((await call('POST', '/webhooks/events', { Action: 'Evil', text })).status, 202);
  assert.deepEqual((await call('GET', '/webhooks/filters/Evil')).json.Schema, Schema);
  let deep = '{}';
  for (let n = 0; n < 70; n += 1) deep = `{"items":${deep}}`;
  assert.equal(
    (await admin('PUT', '/admin/filters/Evil', `{"Description":"d","Schema":${deep}}`)).status,
    400,
  );
  assert.equal((await put({ Schema: { description: 'x'.repeat(70_000) } })).status, 400);
  assert.equal((await put({ Example: { Action: 'Evil', text: 'x'.repeat(70_000) } })).status, 400);
  for (const path of ['/swagger/', '/swagger/static/swagger-initializer.js']) {
    const page = await fetch(server.running.url + path);
    assert.equal(page.status, 200, path);
    assert.doesNotMatch(await page.text(), /alert\(1\)/);
  }
  for (const path of ['/openapi.json', '/swagger/docs/v1']) {
    const document = await fetch(server.running.url + path);
    assert.match(document.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(document.headers.get('x-content-type-options'), 'nosniff');
    assert.ok((await document.text()).includes('alert(1)'));
  }
  await admin('DELETE', '/admin/filters/Evil');
});

test('a page of large events is cut to what one answer may hold, and goes on after it', async () => {
  const { call } = await freshTenant('large');
  const notification = { Action: 'A', x: 'x'.repeat(250_000) };
  for (let n = 0; n < 12; n += 1)
    assert.equal(
      (
        await call('POST', '/webhooks/events', {
          Notifications: [notification, notification, notification, notification],
        })
      ).status,
      202,
    );
  const sizes: number[] = [];
  const ids = new Set<string>();
  for (let cursor = ''; ;) {
    const { status, json, text } = await call('GET', `/webhooks/events?limit=1000${cursor}`);
    assert.equal(status, 200);
    sizes.push(text.length);
    for (const { Id } of json.Items) ids.add(Id);
    if (json.Next === null) break;
    cursor = `&cursor=${json.Next}`;
  }
  assert.equal(ids.size, 12);
  assert.ok(sizes.length > 1 && Math.max(...sizes) < 10_000_000, String(sizes));
});

test('strangers’ text makes no label of a metric', async () => {
  const { call } = await freshTenant('labels');
  const hostile = 'evil"} 1\n# HELP forged {x="';
  await admin('PUT', '/admin/tenants/labels', { Name: hostile });
  await call('POST', '/webhooks/registrations', {
    WebHookUri: `${at}/labels?noecho`,
    Description: hostile,
  });
  receiver.answer = (response) => response.writeHead(500, { 'x-evil': 'evil"} 1' }).end(hostile);
  await call('POST', '/webhooks/events', { Action: hostile.slice(0, 20) });
  await call('POST', '/webhooks/events', { Action: 'A' });
  await receiver.expect('/labels', 1);
  receiver.answer = (response) => response.writeHead(200).end();
  const text = await (await fetch(`${server.running.url}/metrics`)).text();
  assert.doesNotMatch(text, /evil|forged|labels/);
});
