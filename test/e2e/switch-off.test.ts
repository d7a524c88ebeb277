import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { type Answer, caller, TestReceiver, TestServer, until } from './harness.ts';

const FAILURES = 4;
const server = new TestServer({
  schedule: parseSchedule(`0ms${',20ms'.repeat(20)}`),
  switchOffAfterMs: 1,
  switchOffFailures: FAILURES,
});
const receiver = new TestReceiver();
const call = caller(server, () => server.running.adminKey);
let url = '';
before(async () => {
  await server.start();
  url = await receiver.listen();
});
after(() => Promise.all([server.end(), receiver.close()]));

const publish = async (): Promise<string> => {
  const answer = await call('POST', '/webhooks/events', { Action: 'CourseCompleted' });
  assert.equal(answer.status, 202);
  return answer.json.Id;
};

/** A registration whose endpoint has taken a delivery before. */
async function proven(path: string): Promise<{ path: string; body: { Id: string } }> {
  const body = { WebHookUri: url + path, Filters: ['CourseCompleted'] };
  const { Id } = (await call('POST', '/webhooks/registrations', body)).json;
  await publish();
  await receiver.expect(path, 1);
  return { path: `/webhooks/registrations/${Id}`, body: { ...body, Id } };
}

const held = (Id: string): Promise<Answer> =>
  call('GET', `/webhooks/deliveries?registrationId=${Id}&state=held`);

test('an endpoint that fails too long is switched off with a reason, its deliveries are held, and a PUT lets them go on', async () => {
  const { path, body } = await proven('/fails');
  receiver.answer = (response) => response.writeHead(500).end();
  await publish();
  const shown = await until(
    () => call('GET', path),
    ({ json }) => json.SwitchedOff !== undefined,
  );
  const reason = /^endpoint failed 4 times in a row since 20\d\d-\d\d-\d\d \d\d:\d\d UTC$/;
  assert.match(shown.json.SwitchedOff.Reason, reason);
  assert.equal(shown.json.IsPaused, false);
  await publish();
  const { json } = await until(
    () => held(body.Id),
    (answer) => answer.json.Items.length === 2,
  );
  for (const { Reason } of json.Items) assert.match(Reason, reason);
  assert.equal(receiver.received.length, 1 + FAILURES);
  const audit = (await call('GET', '/webhooks/audit')).json.Items;
  const off = audit.find(
    ({ Change }: { Change: string }) => Change === 'registration switched off',
  );
  assert.equal(off.Target, body.Id);
  assert.match(await metric('switched-off'), / 1$/);

  receiver.answer = (response) => response.writeHead(200).end();
  assert.equal((await call('PUT', path, body)).status, 200);
  await receiver.expect('/fails', 1 + FAILURES + 2);
  await until(
    () => held(body.Id),
    (answer) => answer.json.Items.length === 0,
  );
  assert.equal((await call('GET', path)).json.SwitchedOff, undefined);
  // The receiver has its request before the server has the answer.
  await until(
    () => metric('recovered'),
    (line) => line.endsWith(' 1'),
  );
  await call('DELETE', path);
});

test('failures before a restart count after it', async () => {
  const { path } = await proven('/restarted');
  let failures = 0;
  receiver.answer = (response) => {
    failures += 1;
    // The last one before the restart is due again long after it.
    const later = failures === FAILURES - 1 ? { 'retry-after': '1' } : {};
    response.writeHead(503, later).end();
  };
  await publish();
  await receiver.expect('/restarted', FAILURES);
  await server.stop();
  await server.start();
  const shown = await until(
    () => call('GET', path),
    ({ json }) => json.SwitchedOff !== undefined,
  );
  assert.match(shown.json.SwitchedOff.Reason, /^endpoint failed 4 times in a row/);
});

async function metric(kind: string): Promise<string> {
  const response = await fetch(`${server.running.url}/metrics`, {
    headers: { authorization: `Bearer ${server.running.adminKey}` },
  });
  const text = await response.text();
  const name = `schoolbell_endpoint_concerns_total{kind="${kind}"}`;
  return text.split('\n').find((line) => line.startsWith(name)) ?? '';
}
