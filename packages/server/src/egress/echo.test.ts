import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ALLOW_NOTHING } from './allow.ts';
import { type EchoResult, verifyEcho } from './echo.ts';
import type { Egress } from './port.ts';
import { openEgress } from './testing/open-egress.ts';
import { closeServers, onRequest, plain, rawServer } from './testing/raw-server.ts';

const TOKEN = '3127c0ae05ac49c9be2f01dfcb892c43';
const FAILED =
  'WebHook verification failed. Please ensure that the WebHook URI is valid and that the endpoint is accessible. Error encountered: ';
const NOT_RETURNED =
  'The HTTP request echo query parameter was not returned as plain text in the response. Please return the echo parameter to verify that the WebHook is working as expected.';

let egress: Egress;
before(() => {
  egress = openEgress();
});
after(() => Promise.all([egress.close(), closeServers()]));

type Asked = { readonly result: EchoResult; readonly requests: readonly string[] };

/** Verifies a URI whose server gives this answer. */
async function ask(
  answer: string | Buffer,
  path = '/hook',
  headers: [string, string][] = [],
): Promise<Asked> {
  const requests: string[] = [];
  const server = await rawServer((socket) =>
    onRequest(socket, (request) => {
      requests.push(request);
      if (answer === '') socket.resetAndDestroy();
      else socket.write(answer);
    }),
  );
  const uri = `http://127.0.0.1:${server.port}${path}`;
  const result = await verifyEcho(egress, { uri, headers, token: TOKEN });
  await server.close();
  return { result, requests };
}

async function failure(answer: string | Buffer): Promise<string> {
  const { result } = await ask(answer);
  return result.ok ? 'verified' : result.text;
}

function encoded(body: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`),
    body,
  ]);
}

test('asks by GET with the query kept, and with the headers that do not describe a body', async () => {
  const { result, requests } = await ask(plain(200, TOKEN), '/hook?code=%2Fa&x', [
    ['Authorization', 'Basic eA=='],
    ['Content-Language', 'da'],
    ['Expires', '0'],
    ['X-Own', '1'],
  ]);
  assert.deepEqual(result, { ok: true });
  assert.equal(requests.length, 1);
  const lines = requests[0]!.split('\r\n');
  assert.equal(lines[0], `GET /hook?code=%2Fa&x&echo=${TOKEN} HTTP/1.1`);
  assert.deepEqual(lines.slice(3), ['Authorization: Basic eA==', 'X-Own: 1', '', '']);
});

test('begins a query where there is none', async () => {
  const { requests } = await ask(plain(200, TOKEN));
  assert.ok(requests[0]?.startsWith(`GET /hook?echo=${TOKEN} `));
});

test('verifies a URI of the greatest length', async () => {
  const { result } = await ask(plain(200, TOKEN), `/${'a'.repeat(2000)}?b`);
  assert.deepEqual(result, { ok: true });
});

test('takes the token with a byte order mark, in UTF-16, and with any 2xx', async () => {
  const wide = Buffer.from(TOKEN, 'utf16le');
  const answers = [
    plain(201, TOKEN),
    encoded(Buffer.from(`\ufeff${TOKEN}`)),
    encoded(wide),
    encoded(Buffer.from(`\ufeff${TOKEN}`, 'utf16le')),
    encoded(Buffer.from(wide).swap16()),
  ];
  for (const answer of answers) assert.equal(await failure(answer), 'verified');
});

test('takes nothing but the token', async () => {
  for (const body of [`${TOKEN}\n`, `"${TOKEN}"`, TOKEN.toUpperCase(), ''])
    assert.equal(await failure(plain(200, body)), NOT_RETURNED);
  assert.equal(await failure('HTTP/1.1 204 No Content\r\n\r\n'), NOT_RETURNED);
});

test('names the status that it got, as .NET does, and follows no redirect', async () => {
  assert.equal(await failure(plain(404)), `${FAILED}NotFound`);
  assert.equal(await failure(plain(500)), `${FAILED}InternalServerError`);
  assert.equal(await failure(plain(302, '', 'Location: /ok\r\n')), `${FAILED}Redirect`);
  assert.equal(await failure(plain(418)), `${FAILED}418`);
});

test('says the same of a broken connection, a closed port and an address that is refused', async () => {
  const same = { ok: false, text: `${FAILED}An error occurred while sending the request.` };
  assert.deepEqual((await ask('')).result, same);
  const closed = await rawServer(() => undefined);
  await closed.close();
  const question = { uri: `http://127.0.0.1:${closed.port}/`, headers: [], token: TOKEN };
  assert.deepEqual(await verifyEcho(egress, question), same);
  const strict = openEgress({ allow: ALLOW_NOTHING });
  assert.deepEqual(await verifyEcho(strict, question), same);
  await strict.close();
});
