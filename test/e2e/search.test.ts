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

async function inTenant(id: string) {
  await admin('POST', '/admin/tenants', { Id: id });
  const call = caller(server, () => server.running.adminKey, id);
  const register = async (path: string, Filters: readonly string[]): Promise<string> =>
    (await call('POST', '/webhooks/registrations', { WebHookUri: `${at}${path}`, Filters })).json
      .Id;
  return { call, register };
}

const completion = (email: string, course: string): Json => ({
  Action: 'CourseCompleted',
  Course: { Id: course },
  Users: [{ Id: email.length, Email: email }],
});

test('where is Ana’s completion? one search tells, in words', async () => {
  const { call, register } = await inTenant('search');
  receiver.answer = (response, { path }) => response.writeHead(path === '/hr' ? 401 : 200).end();
  const hr = await register('/hr', ['CourseCompleted']);
  await register('/mirror', ['*']);
  const published = await call('POST', '/webhooks/events', [
    completion('Ana.Lindqvist@School.example', 'first-aid'),
    completion('ben@school.example', 'first-aid'),
  ]);
  const find = (query: string) => call('GET', `/webhooks/deliveries?${query}`);
  const ana = `subject=ana.lindqvist%40school.example&registrationId=${hr}`;
  const { json } = await until(
    () => find(`${ana}&count=true`),
    (answer) => answer.json.Items[0]?.State === 'exhausted',
  );
  assert.deepEqual([json.Count, json.CountIsExact, json.Next], [1, true, null]);
  const [found] = json.Items;
  assert.equal(found.EventId, published.json[0].Id);
  assert.deepEqual([found.Outcome, found.Status], ['http_4xx', 401]);
  assert.match(found.Sentence, /wants other credentials/);
  for (const query of ['status=401', 'outcome=http_4xx', 'text=OTHER%20credentials']) {
    const page = await until(
      () => find(`${query}&subject=first-aid&state=exhausted`),
      (answer) => answer.json.Items.length === 2,
    );
    assert.ok(
      page.json.Items.every((each: Json) => each.RegistrationId === hr),
      query,
    );
    assert.equal('Count' in page.json, false);
  }
  const events = await call('GET', '/webhooks/events?subject=first-aid&status=401&count=true');
  assert.equal(events.json.Count, 2);
  const page = await call('GET', '/webhooks/events?subject=first-aid&limit=1');
  const next = await call('GET', `/webhooks/events?subject=first-aid&cursor=${page.json.Next}`);
  assert.deepEqual(
    [...page.json.Items, ...next.json.Items].map(({ Id }) => Id),
    published.json.map(({ Id }: Json) => Id).toReversed(),
  );
});

test('an event shows where it went, and where it did not go and why', async () => {
  const { call, register } = await inTenant('missed');
  receiver.answer = (response) => response.writeHead(200).end();
  const took = await register('/took', ['coursecompleted']);
  const other = await register('/other', ['UserCreated']);
  const paused = await register('/paused', ['*']);
  await call('PUT', `/webhooks/registrations/${paused}`, {
    Id: paused,
    WebHookUri: `${at}/paused`,
    IsPaused: true,
  });
  const { json: receipt } = await call('POST', '/webhooks/events', completion('a@b', 'c'));
  await until(
    () => call('GET', `/webhooks/deliveries?eventId=${receipt.Id}&state=delivered`),
    (answer) => answer.json.Items.length === 1,
  );
  const later = await register('/later', ['*']);
  const { json } = await call('GET', `/webhooks/events/${receipt.Id}`);
  const states = json.Deliveries.map((each: Json) => [each.RegistrationId, each.State]);
  assert.deepEqual(Object.fromEntries(states), { [took]: 'delivered', [paused]: 'held' });
  assert.deepEqual(json.NotDelivered, [
    {
      RegistrationId: other,
      Reason: 'not subscribed',
      Sentence: 'It is not subscribed to CourseCompleted.',
    },
    {
      RegistrationId: later,
      Reason: 'made later',
      Sentence: 'It was registered after the event was accepted.',
    },
  ]);
});

test('a search that cannot be read is refused with what it should be', async () => {
  for (const [query, sentence] of [
    ['status=4xx', /status is an HTTP status/],
    ['subject=', /subject is a text of 1 to 320/],
    [`text=${'x'.repeat(201)}`, /text is a text of 1 to 200/],
    ['text=%00', /text holds a control character/],
    ['count=yes', /count is true or false/],
    ['state=lost', /state is one of pending, /],
    ['learner=1', /There is no parameter 'learner'/],
  ] as const) {
    for (const list of ['events', 'deliveries']) {
      const { status, json } = await admin('GET', `/webhooks/${list}?${query}`);
      assert.equal(status, 400, query);
      assert.match(json.Message, sentence);
    }
  }
});

test('what was published before a restart is found after it', async () => {
  const { call } = await inTenant('restarted');
  await call('POST', '/webhooks/events', completion('early@school.example', 'c'));
  await server.stop();
  await server.start();
  const { json } = await call('GET', '/webhooks/events?subject=early@school.example');
  assert.equal(json.Items.length, 1);
});
