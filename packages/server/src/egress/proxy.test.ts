import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { Egress } from './port.ts';
import { parseProxy, type Proxy } from './proxy.ts';
import { makeCertificates } from './testing/certificates.ts';
import { brief, openEgress, post } from './testing/open-egress.ts';
import { answers, closeServers, plain, rawServer } from './testing/raw-server.ts';

type TestProxy = Proxy & {
  readonly asked: readonly { readonly place: string; readonly authorization: string | undefined }[];
};

const opened: (Server | Socket)[] = [];
after(async () => {
  for (const each of opened) {
    if ('destroy' in each) each.destroy();
    else each.close();
  }
  await closeServers();
});

/** A proxy that leads wherever it is asked to, or answers with a status of its own. */
async function openProxy(refusal?: string): Promise<TestProxy> {
  const asked: { place: string; authorization: string | undefined }[] = [];
  const server = createServer();
  server.on('connect', ({ url = '', headers }, client: Socket) => {
    opened.push(client);
    client.on('error', () => undefined);
    asked.push({ place: url, authorization: headers['proxy-authorization'] });
    if (refusal !== undefined) return void client.end(refusal);
    const { hostname, port } = new URL(`http://${url}`);
    const receiver = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      receiver.pipe(client).pipe(receiver);
    });
    receiver.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(server);
  const { port } = server.address() as AddressInfo;
  return { hostname: '127.0.0.1', port, authorization: 'Basic dTpw', asked };
}

const through = (proxy: Proxy, options: Parameters<typeof openEgress>[0] = {}): Egress =>
  openEgress({ proxy, resolve: () => Promise.resolve(['127.0.0.1']), ...options });

test('every request goes through the proxy, which is told an address and never a name', async () => {
  const proxy = await openProxy();
  const { authority, good } = makeCertificates();
  const egress = through(proxy, { extraCa: [authority] });
  const [server, secure] = [
    await rawServer(answers(plain(200))),
    await rawServer(answers(plain(200)), good),
  ];
  assert.equal(brief(await egress.send(post(`http://receiver.test:${server.port}/`))), '200');
  assert.equal(brief(await egress.send(post(`https://receiver.test:${secure.port}/`))), '200');
  const authorization = 'Basic dTpw';
  assert.deepEqual(proxy.asked, [
    { place: `127.0.0.1:${server.port}`, authorization },
    { place: `127.0.0.1:${secure.port}`, authorization },
  ]);
  await egress.close();
});

test('the rules for addresses hold behind a proxy', async () => {
  const proxy = await openProxy();
  const egress = through(proxy, { resolve: () => Promise.resolve(['93.184.216.34', '10.0.0.1']) });
  for (const uri of ['http://a.example.com/', 'http://169.254.169.254/', 'http://10.0.0.1/'])
    assert.equal(brief(await egress.send(post(uri))), 'blocked', uri);
  assert.deepEqual(proxy.asked, []);
  await egress.close();
});

test('the next address is tried when the proxy cannot reach the first', async () => {
  const proxy = await openProxy();
  const egress = through(proxy, { resolve: () => Promise.resolve(['127.0.0.9', '127.0.0.1']) });
  const server = await rawServer(answers(plain(200)));
  assert.equal(brief(await egress.send(post(`http://receiver.test:${server.port}/`))), '200');
  assert.equal(proxy.asked.length, 2);
  await egress.close();
});

for (const refusal of [
  'HTTP/1.1 403 Forbidden\r\n\r\n',
  'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
  'HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n',
  `HTTP/1.1 200 OK\r\n\r\n${plain(200, 'early')}`,
]) {
  test(`a proxy that says ${JSON.stringify(refusal.slice(9, 40))} has made no connection`, async () => {
    const egress = through(await openProxy(refusal));
    assert.deepEqual(await egress.send(post('http://receiver.test/')), {
      kind: 'connect_error',
      code: 'PROXY_REFUSED',
    });
    await egress.close();
  });
}

test('a proxy that says nothing, or is not there, costs no more than a connection may', async () => {
  const silent = await rawServer((socket) => socket.resume());
  const place = { hostname: '127.0.0.1', authorization: null };
  const waiting = through({ ...place, port: silent.port }, { connectTimeoutMs: 200 });
  const outcome = await waiting.send(post('http://receiver.test/'));
  assert.deepEqual(outcome, { kind: 'timeout', phase: 'connect', afterMs: 200 });
  await silent.close();
  const gone = through({ ...place, port: silent.port });
  assert.equal(brief(await gone.send(post('http://receiver.test/'))), 'connect_error');
  await Promise.all([waiting.close(), gone.close()]);
});

test('a proxy is written as http://host:port, with or without credentials', () => {
  const { hostname, port, authorization } = parseProxy('http://u%40x:p@[::1]:3128/') ?? {};
  assert.deepEqual([hostname, port], ['::1', 3128]);
  assert.equal(authorization, `Basic ${Buffer.from('u@x:p').toString('base64')}`);
  assert.deepEqual(parseProxy('http://proxy.school.example'), {
    hostname: 'proxy.school.example',
    port: 80,
    authorization: null,
  });
  for (const text of [
    'proxy:3128',
    'https://proxy',
    'socks5://proxy',
    'http://proxy/path',
    'http://u%ff@proxy',
    '',
  ])
    assert.equal(parseProxy(text), undefined, text);
});
