import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import { caller, TestReceiver, TestServer } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
let at = '';
const call = caller(server, () => server.running.adminKey);

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

const course = (Action: string, CourseType: string, Id = 'c1') => ({
  Action,
  Course: { Id, CourseType },
  Users: [{ Id: '1' }, { Id: '2' }],
});

async function register(path: string, rest: object) {
  const made = await call('POST', '/webhooks/registrations', { WebHookUri: at + path, ...rest });
  assert.equal(made.status, 201, made.text);
  return made;
}

test('a registration gets the notifications that meet its conditions, and no delivery without one', async () => {
  const Conditions = { 'Course.CourseType': [{ prefix: 'Web' }], Users: { Id: ['2'] } };
  const made = await register('/web', { Filters: ['CourseCompleted'], Conditions });
  const { Id } = made.json;
  assert.deepEqual(made.json.Conditions, Conditions);
  await register('/all', { Filters: ['CourseCompleted'] });
  const publish = async (body: unknown) => (await call('POST', '/webhooks/events', body)).json;
  assert.equal((await publish(course('CourseCompleted', 'ClassRoom'))).Deliveries, 1);
  const Notifications = [
    course('CourseCompleted', 'Webinar'),
    course('CourseCompleted', 'ClassRoom'),
    course('CourseCompleted', 'WebBased'),
  ];
  assert.equal((await publish({ Notifications })).Deliveries, 2);
  await receiver.expect('/all', 2);
  const [got, ...more] = await receiver.expect('/web', 1);
  assert.deepEqual(more, []);
  assert.deepEqual(JSON.parse(got?.body ?? '').Notifications, [Notifications[0], Notifications[2]]);
  // A PUT replaces it like every other member.
  const replaced = { Id, WebHookUri: `${at}/web`, Filters: ['CourseCompleted'] };
  assert.equal((await call('PUT', `/webhooks/registrations/${Id}`, replaced)).status, 200);
  const read = await call('GET', `/webhooks/registrations/${Id}`);
  assert.equal('Conditions' in read.json, false);
  assert.equal((await publish(course('CourseCompleted', 'ClassRoom'))).Deliveries, 2);
});

test('conditions survive a restart as they were written', async () => {
  const text = '{"Score":[{"numeric":[">=",1.50]},12345678901234567890]}';
  const made = await call(
    'POST',
    '/webhooks/registrations',
    `{"WebHookUri":"${at}/kept","Filters":["CourseEnrollment"],"Conditions": ${text}}`,
  );
  await server.stop();
  await server.start();
  const read = await call('GET', `/webhooks/registrations/${made.json.Id}`);
  assert.ok(read.text.includes(`"Conditions":${text}`), read.text);
  const score = async (Score: number) =>
    (await call('POST', '/webhooks/events', { Action: 'CourseEnrollment', Score })).json.Deliveries;
  assert.equal(await score(1.5), 1);
  assert.equal(await score(1.4), 0);
});

test('conditions that cannot be taken are refused with a sentence, and null is none', async () => {
  const bad = { WebHookUri: `${at}/bad`, Conditions: { 'Course.Id': 'c1' } };
  const refused = await call('POST', '/webhooks/registrations', bad);
  assert.equal(refused.status, 400);
  assert.equal(refused.json.Message, 'The request is invalid.');
  const [sentence] = refused.json.ModelState['webHook.Conditions'];
  assert.match(sentence, /^"Course\.Id" takes a list of what is wanted/);
  const made = await register('/null', { Filters: ['UserCreated'], Conditions: null });
  assert.equal('Conditions' in made.json, false);
});

test('conditions are tried on the example, on a notification and on recent ones', async () => {
  const Conditions = { 'Course.CourseType': ['Webinar'] };
  const attempt = (body: object, filter = 'LearningPathCompleted') =>
    call('POST', `/webhooks/filters/${filter}/match`, body);
  const example = await attempt({ Conditions }, 'CourseEnrollment');
  assert.equal(example.status, 200, example.text);
  const { Matched, Of, Items } = example.json;
  assert.deepEqual([Matched, Of, Items[0].Matches], [0, 1, false]);
  assert.deepEqual(Items[0].Failed, [
    {
      Path: 'Course.CourseType',
      Sentence: '"Course.CourseType" is "ELearning"; wanted is "Webinar".',
    },
  ]);
  assert.equal(Items[0].Notification.Action, 'CourseEnrollment');
  const one = await call(
    'POST',
    '/webhooks/filters/*/match',
    '{"Conditions":{"n":[1]},"Notification":{"n":1.000}}',
  );
  assert.ok(one.text.includes('"Notification":{"n":1.000}'), one.text);
  assert.equal(one.json.Matched, 1);
  const Action = BUILTIN_FILTERS[1]?.name ?? '';
  const Notifications = [course(Action, 'Webinar'), course(Action, 'ClassRoom')];
  const { json } = await call('POST', '/webhooks/events', { Notifications });
  const recent = await attempt({ Conditions, Recent: 10 }, Action);
  assert.deepEqual(
    recent.json.Items.slice(0, 2).map((item: { Matches: boolean; EventId: string }) => [
      item.Matches,
      item.EventId,
    ]),
    [
      [true, json.Id],
      [false, json.Id],
    ],
  );
});

test('a trial that cannot be made says why', async () => {
  const cases: [body: unknown, status: number, said: RegExp, filter?: string][] = [
    [{}, 400, /Conditions are missing/],
    [{ Conditions: {} }, 400, /empty object/],
    [{ Conditions: { a: [1] }, Recent: 201 }, 400, /Recent is a number from 1 to 200/],
    [{ Conditions: { a: [1] }, Recent: 1, Notification: {} }, 400, /not both/],
    [{ Conditions: { a: [1] }, Notification: [] }, 400, /Notification is a JSON object/],
    [{ Conditions: { a: [1] } }, 400, /has no example/, '*'],
    [{ Conditions: { a: [1] } }, 404, /There is no filter 'Nope'/, 'Nope'],
    ['{"Conditions":', 400, /ends too early/],
  ];
  for (const [body, status, said, filter = 'CourseEnrollment'] of cases) {
    const answer = await call('POST', `/webhooks/filters/${filter}/match`, body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, said);
  }
});
