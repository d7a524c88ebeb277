import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  closeServers,
  onRequest,
  plain,
  type RawServer,
  rawServer,
} from '../../packages/server/src/egress/testing/raw-server.ts';
import { type Answer, caller, TestServer, until } from '../e2e/harness.ts';
import { writeRows } from './stored-rows.ts';

const server = new TestServer();
const admin = caller(server, () => server.running.adminKey);
before(() => server.start());
after(() => Promise.all([server.end(), closeServers()]));

const SECRET = '0123456789abcdef0123456789abcdef';

/** As odd as they may be. */
const OWN = {
  'x-Lower-UPPER': 'Value with  two blanks',
  "!#$%&'*+-.^_`|~09": 'every character of a token',
  Authorization: 'Bearer a.b-c_d~e+f/g==',
  'X-Tab': 'a\tb',
  'X-Empty': '',
  'X-Semicolons': 'a; b="c, d"; e',
  'User-Agent': 'LMS/1.0 (school)',
  Accept: '*/*',
};

/** A receiver that keeps every request as it came, and returns an echo. */
async function recorder(before = ''): Promise<{ place: RawServer; requests: string[] }> {
  const requests: string[] = [];
  const place = await rawServer((socket) =>
    onRequest(socket, (request) => {
      requests.push(request);
      const echo = /[?&]echo=([0-9a-f]+) /.exec(request)?.[1] ?? '';
      socket.write(before + plain(200, echo));
    }),
  );
  return { place, requests };
}

function register(webHookUri: string, headers: object, path = ''): Promise<Answer> {
  return admin(path === '' ? 'POST' : 'PUT', `/webhooks/registrations${path}`, {
    WebHookUri: webHookUri,
    Secret: SECRET,
    Filters: ['*'],
    Headers: headers,
    ...(path === '' ? {} : { Id: path.slice(1) }),
  });
}

/** The lines of a request's head from the one that begins so. */
function linesFrom(request: string, start: string): string[] {
  const lines = request.split('\r\n\r\n')[0]?.split('\r\n') ?? [];
  return lines.slice(lines.findIndex((line) => line.startsWith(start)));
}

for (const [kind, interim] of [
  ['any receiver', ''],
  ['one that sends 100 unasked', 'HTTP/1.1 100 Continue\r\n\r\n'],
] as const) {
  test(`a registration’s headers reach ${kind} byte for byte and in order, in echo, test and delivery`, async () => {
    const { place, requests } = await recorder(interim);
    const made = await register(`http://127.0.0.1:${place.port}/hook`, OWN);
    assert.equal(made.status, 201, made.text);
    const own = Object.entries(OWN).map(([name, value]) => `${name}: ${value}`);
    const echo = requests.at(-1) ?? '';
    assert.match(echo, /^GET \/hook\?echo=[0-9a-f]{32} HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
    assert.deepEqual(linesFrom(echo, 'x-Lower'), own);
    await admin('POST', `/webhooks/registrations/${made.json.Id}/test`);
    const tried = requests.at(-1) ?? '';
    await admin('POST', '/webhooks/events', { Action: 'CourseCompleted' });
    await until(
      async () => requests.at(-1) ?? '',
      (request) => request !== tried && request.startsWith('POST'),
    );
    for (const request of [tried, requests.at(-1) ?? '']) {
      const [head = '', body = ''] = request.split('\r\n\r\n');
      const names = head.split('\r\n').map((line) => line.split(': ')[0]);
      assert.deepEqual(names.slice(0, 8), [
        'POST /hook HTTP/1.1',
        'host',
        'connection',
        'Content-Type',
        'ms-signature',
        'webhook-id',
        'webhook-timestamp',
        'webhook-signature',
      ]);
      assert.deepEqual(linesFrom(request, 'x-Lower'), [...own, `content-length: ${body.length}`]);
    }
    await admin('DELETE', `/webhooks/registrations/${made.json.Id}`);
    await place.close();
  });
}

test('a header that may not be sent is refused by its name, when registering and when changing', async () => {
  const { place, requests } = await recorder();
  const uri = `http://127.0.0.1:${place.port}/hook`;
  const made = await register(uri, {});
  const seen = requests.length;
  for (const [name, value] of [
    ['Host', 'internal'],
    ['Transfer-Encoding', 'chunked'],
    ['webhook-signature', 'v1,forged'],
    ['Metadata-Flavor', 'Google'],
    ['X Y', '1'],
    ['X-Value', 'a\r\nHost: internal'],
    ['X-Value', 'a\u0000b'],
    ['X-Value', 'ü'],
  ] as const) {
    for (const path of ['', `/${made.json.Id}`]) {
      const refused = await register(uri, { [name]: value }, path);
      assert.equal(refused.status, 400, name);
      assert.ok(refused.json.Message.includes(`"${name}"`), refused.text);
    }
  }
  assert.equal(requests.length, seen);
  await admin('DELETE', `/webhooks/registrations/${made.json.Id}`);
  await place.close();
});

test('a header that somebody wrote into the store is not sent either, and the attempt says so', async () => {
  const { place, requests } = await recorder();
  await server.stop();
  const uri = `http://127.0.0.1:${place.port}`;
  const ids = await writeRows(server.folder, [
    { webHookUri: `${uri}/one`, headers: [['Host', 'internal']] },
    { webHookUri: `${uri}/two`, headers: [['X-Ok', 'a\r\nEvil: 1']] },
  ]);
  await server.start();
  for (const id of ids) {
    const { json } = await admin('POST', `/webhooks/registrations/${id}/test`);
    assert.equal(json.Outcome, 'policy_blocked');
    assert.match(json.Sentence, /Change the Headers of the registration/);
  }
  await admin('POST', '/webhooks/events', { Action: 'CourseCompleted' });
  const list = (): Promise<Answer> => admin('GET', '/webhooks/deliveries?state=exhausted');
  await until(list, ({ json }) => json.Items.length >= ids.length);
  assert.deepEqual(requests, []);
  await place.close();
});
