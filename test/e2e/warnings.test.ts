import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

type Mail = { readonly from: string; readonly to: readonly string[]; readonly text: string };

const receiver = new TestReceiver();
const mails: Mail[] = [];
let at = '';
let mailServer: ChildProcess;
let server: TestServer;

before(async () => {
  at = await receiver.listen();
  receiver.answer = (response, { path }) =>
    response.writeHead(path.startsWith('/broken') ? 500 : path === '/gone' ? 410 : 200).end();
  mailServer = fork(fileURLToPath(new URL('./mail-server.ts', import.meta.url)));
  const [{ port }] = (await once(mailServer, 'message')) as [{ port: number }];
  mailServer.on('message', (mail: Mail) => mails.push(mail));
  server = new TestServer({
    schedule: parseSchedule('0ms,10ms'),
    switchOffAfterMs: 1,
    switchOffFailures: 4,
    operatorTenant: 'operators',
    mail: {
      url: `smtp://127.0.0.1:${port}`,
      from: 'bell@school.example',
      to: ['office@school.example'],
    },
  });
  await server.start();
});
after(async () => {
  await Promise.all([server.end(), receiver.close()]);
  mailServer.disconnect();
});

async function tenantOf(Id: string) {
  const admin = caller(server, () => server.running.adminKey);
  assert.equal((await admin('POST', '/admin/tenants', { Id })).status, 201);
  return caller(server, () => server.running.adminKey, Id);
}

async function register(call: ReturnType<typeof caller>, path: string, Filters: string[]) {
  const made = await call('POST', '/webhooks/registrations', {
    WebHookUri: `${at}${path}`,
    Description: path.slice(1),
    Filters,
  });
  assert.equal(made.status, 201, made.text);
  return made.json.Id as string;
}

function warningsTo(path: string): Json[] {
  return receiver.received
    .filter((each) => each.path === path)
    .flatMap(({ body }) => JSON.parse(body).Notifications);
}

async function warned(path: string, action: string): Promise<Json> {
  const all = await until(
    () => Promise.resolve(warningsTo(path)),
    (each) => each.some(({ Action }) => Action === action),
  );
  return all.find(({ Action }) => Action === action);
}

test('who named their filters is warned of an endpoint that used up its retries and of its switching off, by webhook and by e-mail', async () => {
  const call = await tenantOf('northfield');
  const operators = await tenantOf('operators');
  const names = ['Schoolbell.DeliveryExhausted', 'Schoolbell.RegistrationSwitchedOff'];
  const broken = await register(call, '/broken', ['CourseCompleted', ...names]);
  await register(call, '/watch', names);
  await register(call, '/all', ['*']);
  await register(operators, '/operators', names);

  for (let n = 0; n < 3; n += 1)
    assert.equal(
      (await call('POST', '/webhooks/events', { Action: 'CourseCompleted', n })).status,
      202,
    );

  const exhausted = await warned('/watch', 'Schoolbell.DeliveryExhausted');
  assert.equal(exhausted.Tenant, 'northfield');
  assert.deepEqual(exhausted.Registration, { Id: broken, Description: 'broken' });
  assert.match(exhausted.Message, /'broken' .* used up its retries: .*answered 500/);
  const delivery = await call('GET', `/webhooks/deliveries/${exhausted.DeliveryId}`);
  assert.equal(delivery.json.State, 'exhausted');

  const off = await warned('/watch', 'Schoolbell.RegistrationSwitchedOff');
  assert.match(off.Message, /was switched off: endpoint failed \d+ times/);
  await warned('/operators', 'Schoolbell.DeliveryExhausted');
  await warned('/operators', 'Schoolbell.RegistrationSwitchedOff');

  assert.deepEqual(
    new Set(warningsTo('/all').map(({ Action }) => Action)),
    new Set(['CourseCompleted']),
  );
  const toBroken = warningsTo('/broken').map(({ Action }) => Action);
  assert.deepEqual(new Set(toBroken), new Set(['CourseCompleted']));

  const mail = await until(
    () =>
      Promise.resolve(mails.find(({ text }) => text.includes('DeliveryExhausted (northfield)'))),
    (found) => found !== undefined,
  );
  assert.deepEqual(mail?.to, ['office@school.example']);
  assert.equal(mail?.from, 'bell@school.example');
  assert.match(mail?.text ?? '', new RegExp(exhausted.DeliveryId));
});

test('each matter is told once a day, also after a restart, and is an event that can be found', async () => {
  const call = await tenantOf('once');
  await register(call, '/broken-often', ['CourseCompleted']);
  await register(call, '/watch-once', ['Schoolbell.DeliveryExhausted']);
  const publish = () => call('POST', '/webhooks/events', { Action: 'CourseCompleted' });
  await publish();
  await warned('/watch-once', 'Schoolbell.DeliveryExhausted');
  await server.stop();
  await server.start();
  await publish();
  await until(
    () => call('GET', '/webhooks/deliveries?state=exhausted'),
    ({ json }) => json.Items.length === 2,
  );
  const found = await until(
    () => call('GET', '/webhooks/events?action=Schoolbell.DeliveryExhausted&count=true'),
    ({ json }) => json.Count >= 1,
  );
  assert.equal(found.json.Count, 1);
  assert.equal(warningsTo('/watch-once').length, 1);
  const subjects = mails.filter(({ text }) => text.includes('DeliveryExhausted (once)'));
  assert.equal(subjects.length, 1);
});

test('an endpoint that is gone, and one that is back, are told of', async () => {
  const call = await tenantOf('comings');
  const id = await register(call, '/gone', ['CourseCompleted']);
  await register(call, '/watch-gone', [
    'Schoolbell.RegistrationGone',
    'Schoolbell.RegistrationRecovered',
  ]);
  await call('POST', '/webhooks/events', { Action: 'CourseCompleted' });
  const told = await warned('/watch-gone', 'Schoolbell.RegistrationGone');
  assert.equal(told.Registration.Id, id);
  const moved = { Id: id, WebHookUri: `${at}/back`, Filters: ['CourseCompleted'] };
  assert.equal((await call('PUT', `/webhooks/registrations/${id}`, moved)).status, 200);
  const back = await warned('/watch-gone', 'Schoolbell.RegistrationRecovered');
  assert.equal(back.WasSwitchedOff, true);
});

test('a key that expires within a week is told of when the server looks', async () => {
  const admin = caller(server, () => server.running.adminKey);
  const call = await tenantOf('keys');
  await register(call, '/watch-keys', ['Schoolbell.KeyExpiring']);
  const ExpiresAt = new Date(Date.now() + 3 * 86_400_000).toISOString();
  const key = { Level: 'Publish', Name: 'Nightly sync', ExpiresAt };
  assert.equal((await admin('POST', '/admin/tenants/keys/keys', key)).status, 201);
  await server.stop();
  await server.start();
  const told = await warned('/watch-keys', 'Schoolbell.KeyExpiring');
  assert.equal(told.Key.Name, 'Nightly sync');
  assert.equal(told.ExpiresAt, ExpiresAt);
});

test('nobody else publishes under these names, or takes them for filters of their own', async () => {
  const admin = caller(server, () => server.running.adminKey);
  const refused = await admin('POST', '/webhooks/events', { Action: 'schoolbell.Anything' });
  assert.equal(refused.status, 400);
  assert.match(refused.json.Message, /begin with 'Schoolbell\.'/);
  const filter = { Description: 'x' };
  assert.equal((await admin('PUT', '/admin/filters/Schoolbell.Mine', filter)).status, 400);
  const listed = await admin('GET', '/webhooks/filters');
  assert.ok(listed.json.some(({ Name }: Json) => Name === 'Schoolbell.CertificateEnding'));
});
