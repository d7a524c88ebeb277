import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

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

const PRIVATE = ['Learner.Email', 'Learner.Marks[]', 'Address'];
const badge = (email: string): string =>
  `{"Action":"BadgeAwarded", "Learner":{"Id":"7","Email":"${email}","Marks":[1.0, 2e400]},"Address":{"City":"Rivertown"},"n":1.0}`;
const MASKED =
  '{"Action":"BadgeAwarded", "Learner":{"Id":"7","Email":"****","Marks":"****"},"Address":"****","n":1.0}';

test('private fields are delivered whole, and shown by no call but the export of who may do all', async () => {
  const Subjects = [{ Kind: 'learner', Path: 'Learner.Email' }];
  const put = await admin('PUT', '/admin/filters/BadgeAwarded', {
    Description: 'A badge.',
    Subjects,
    Private: PRIVATE,
  });
  assert.deepEqual(put.json.Private, ['Learner.Email', 'Learner.Marks', 'Address']);
  const call = caller(server, () => server.running.adminKey, 'default');
  const { json: reader } = await admin('POST', '/admin/tenants/default/keys', {
    Level: 'Read only',
  });
  const read = caller(server, () => reader.Key);
  receiver.answer = (response, { body }) =>
    response.writeHead(200, { 'x-got': 'Rivertown' }).end(body);
  await call('POST', '/webhooks/registrations', {
    WebHookUri: `${at}/badges`,
    Conditions: { 'Learner.Email': [{ suffix: '@school.example' }] },
  });
  const text = badge('ana.lindqvist@school.example');
  const { json: published } = await call('POST', '/webhooks/events', text);
  await call('POST', '/webhooks/events', badge('ben.other@elsewhere.example'));
  const [sent] = await receiver.expect('/badges', 1);
  assert.ok(sent?.body.includes(text), 'what is delivered is whole');
  const { json: log } = await until(
    () =>
      read('GET', '/webhooks/deliveries?subject=Ana.Lindqvist%40school.example&state=delivered'),
    ({ json }) => json.Items.length === 1,
  );
  const paths = [
    `/webhooks/events/${published.Id}`,
    '/webhooks/events?subject=ana.lindqvist%40school.example',
    `/webhooks/deliveries/${log.Items[0].Id}`,
    '/webhooks/filters/BadgeAwarded/samples',
    '/webhooks/subjects/7',
  ];
  for (const path of paths) {
    for (const asked of [read, call]) {
      const { text: answer } = await asked('GET', path);
      assert.doesNotMatch(answer, /lindqvist|Rivertown|2e400/, path);
    }
  }
  const { text: event } = await read('GET', paths[0] ?? '');
  assert.ok(event.includes(`"Notifications":[${MASKED}]`), event);
  const { json: delivery } = await read('GET', paths[2] ?? '');
  const [attempt] = delivery.History;
  assert.ok(attempt.Request.Body.includes(MASKED));
  assert.ok(attempt.Response.Body.includes('"Email":"****"'));
  assert.deepEqual(
    attempt.Response.Headers.find(({ Name }: Json) => Name === 'x-got').Value,
    '****',
  );
  const tried = await read('POST', '/webhooks/filters/BadgeAwarded/match', {
    Conditions: { 'Learner.Email': ['ana.lindqvist@school.example'] },
    Recent: 10,
  });
  assert.deepEqual([tried.json.Matched, tried.json.Of], [0, 2]);
  assert.doesNotMatch(tried.text, /lindqvist@school.example"[^\]]*Notification/);
  const exported = '/webhooks/subjects/ana.lindqvist%40school.example';
  assert.ok((await read('GET', exported)).text.includes(MASKED));
  assert.ok((await call('GET', exported)).text.includes(text), 'a person is given what is kept');
  const missed = (await call('GET', '/webhooks/events')).json.Items[0].Id;
  const { json: other } = await call('GET', `/webhooks/events/${missed}`);
  assert.deepEqual(
    other.NotDelivered.map(({ Reason }: Json) => Reason),
    ['conditions not met'],
    'why it was not delivered is told by what was published',
  );
});

test('of a filter that is built in the private fields can be set, and nothing else', async () => {
  const path = '/admin/filters/CourseCompleted';
  const listed = (await admin('GET', '/webhooks/filters')).text;
  const put = await admin('PUT', path, { Private: ['Users.Email'] });
  assert.equal(put.status, 200);
  assert.deepEqual((await admin('GET', path)).json.Private, ['Users.Email']);
  assert.equal((await admin('GET', '/webhooks/filters')).text, listed);
  const warning = await admin('PUT', '/admin/filters/Schoolbell.RegistrationGone', {});
  assert.equal(warning.status, 409);
  const call = caller(server, () => server.running.adminKey, 'default');
  await call('POST', '/webhooks/events', {
    Action: 'coursecompleted',
    Users: [{ Id: 1, Email: 'kim@school.example' }],
  });
  const { text } = await call('GET', '/webhooks/events?limit=1');
  assert.match(text, /"Users":\[\{"Id":1,"Email":"\*\*\*\*"\}\]/);
  const changed = await admin('PUT', path, { Description: 'Mine.', Private: [] });
  assert.equal(changed.status, 409);
  assert.match(
    changed.json.Message,
    /built in and stays as it is; Retention and Private can be set\./,
  );
  assert.equal((await admin('DELETE', path)).status, 409);
  await server.stop();
  await server.start();
  assert.deepEqual((await admin('GET', path)).json.Private, ['Users.Email']);
  await admin('PUT', path, {});
  assert.deepEqual((await admin('GET', path)).json.Private, []);
  const wrong = await admin('PUT', path, { Private: ['Users..Email'] });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /Private\.0/);
});
