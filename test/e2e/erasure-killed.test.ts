import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

const EVENTS = 300;
const BATCH = 100;
const SUBJECT = '/webhooks/subjects/zoe.planted%40school.example';
const server = new TestServer();
const receiver = new TestReceiver();
let killed: ChildProcess | undefined;
let url = '';

before(async () => {
  url = await receiver.listen();
});
after(async () => {
  killed?.kill('SIGKILL');
  await Promise.all([server.end(), receiver.close()]);
});

/** Calls to the server of another process. */
function callerAt(base: string, key: string) {
  return async (method: string, path: string, body?: unknown): Promise<Json> => {
    const authorization = `Bearer ${key}`;
    const response = await fetch(base + path, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    return response.json();
  };
}

const completion = (n: number, email: string): Json => ({
  Action: 'CourseCompleted',
  Course: { Id: 'first-aid' },
  Users: [{ Id: `${email} ${n}`, Email: email }],
});

test('an erasure in whose middle the server is killed is completed when it is asked for again', async () => {
  killed = fork(fileURLToPath(new URL('./server-process.ts', import.meta.url)));
  killed.send(await server.options());
  const [{ url: at, adminKey }] = (await once(killed, 'message')) as [
    { url: string; adminKey: string },
  ];
  const call = callerAt(at, adminKey);
  receiver.answer = (response, { body }) => response.writeHead(200).end(`got ${body}`);
  await call('POST', '/webhooks/registrations', { WebHookUri: `${url}/killed` });
  await call('POST', '/webhooks/events', completion(0, 'ben.kept@school.example'));
  for (let from = 0; from < EVENTS; from += BATCH) {
    const events = Array.from({ length: BATCH }, (_, n) =>
      completion(from + n, 'zoe.planted@school.example'),
    );
    await call('POST', '/webhooks/events', events);
  }
  await receiver.expect('/killed', EVENTS + 1);
  const states = '/webhooks/deliveries?state=pending&limit=1';
  await until(
    () => call('GET', states),
    ({ Items }) => Items.length === 0,
  );

  const erasing = call('DELETE', SUBJECT).then(
    () => 'answered',
    () => 'cut short',
  );
  // The newest goes first.
  await until(
    () => call('GET', '/webhooks/events?limit=1'),
    ({ Items }) => Items[0].Notifications[0].Erased === true,
  );
  const exited = once(killed, 'exit');
  killed.kill('SIGKILL');
  await exited;
  assert.equal(await erasing, 'cut short');

  await server.start({ adminKey });
  const again = caller(server, () => adminKey);
  const left = (await again('GET', SUBJECT)).json.Events.length;
  assert.ok(left > 0 && left < EVENTS, `${left} are left`);
  const { status, json: receipt } = await again('DELETE', SUBJECT);
  assert.equal(status, 200);
  const { Events, Notifications, Deliveries, Attempts, Waiting, BytesGone } = receipt;
  assert.deepEqual(
    { Events, Notifications, Deliveries, Attempts, Waiting, BytesGone },
    {
      Events: left,
      Notifications: left,
      Deliveries: left,
      Attempts: left,
      Waiting: 0,
      BytesGone: true,
    },
  );

  const bytes = await server.bytes();
  assert.equal(bytes.includes('zoe.planted'), false, 'nothing is left of her');
  assert.ok(bytes.includes('ben.kept'));
  assert.deepEqual((await again('GET', SUBJECT)).json.Events, []);
  const { json: audit } = await again('GET', '/webhooks/audit');
  const erasures = audit.Items.filter(({ Change }: Json) => /eras/.test(Change));
  assert.deepEqual(
    erasures.map(({ Change, Target }: Json) => [Change, Target]),
    ['learner erased', 'erasure begun', 'erasure begun'].map((what) => [what, receipt.Subject]),
  );
  assert.deepEqual(
    [erasures[0].After.Receipt, erasures[0].After.Events, erasures[1].After.Receipt],
    [receipt.Id, left, receipt.Id],
  );
  assert.notEqual(erasures[2].After.Receipt, receipt.Id);
});
