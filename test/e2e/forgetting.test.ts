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
  const register = async (path: string, more: object = {}): Promise<string> => {
    const body = { WebHookUri: `${at}${path}`, Filters: ['*'], ...more };
    return (await call('POST', '/webhooks/registrations', body)).json.Id;
  };
  const publish = (...notifications: readonly Json[]) =>
    call('POST', '/webhooks/events', { Notifications: notifications });
  const delivered = (count: number) =>
    until(
      () => call('GET', '/webhooks/deliveries?state=delivered&limit=100'),
      ({ json }) => json.Items.length === count,
    );
  return { call, register, publish, delivered };
}

const completion = (email: string, id = `id of ${email}`): Json => ({
  Action: 'CourseCompleted',
  Course: { Id: 'first-aid' },
  Users: [{ Id: id, Email: email, LoginName: `login of ${email}` }],
});

const ERASED = { Action: 'CourseCompleted', Erased: true };

test('everything that is kept about a learner is exported, and nothing of others', async () => {
  const { call, register, publish, delivered } = await inTenant('export');
  receiver.answer = (response) => response.writeHead(200, { 'x-seen': 'yes' }).end('noted');
  await register('/export');
  const { json: published } = await publish(
    completion('ben@school.example'),
    completion('Ana@school.example'),
  );
  await publish(completion('ben@school.example'));
  await delivered(2);
  const answer = await call('GET', '/webhooks/subjects/ana%40SCHOOL.example');
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.json.Subject, 'ana@SCHOOL.example');
  const [event, ...more] = answer.json.Events;
  assert.deepEqual(more, []);
  assert.equal(event.Id, published.Id);
  assert.deepEqual(event.Actions, ['CourseCompleted']);
  assert.deepEqual(event.Notifications, [completion('Ana@school.example')]);
  assert.deepEqual(
    event.Deliveries.map(({ State }: Json) => State),
    ['delivered'],
  );
  const [attempt] = event.Deliveries[0].History;
  assert.equal(attempt.Response.Body, 'noted');
  assert.equal('Body' in attempt.Request, false);
  assert.equal(answer.text.includes('ben@'), false);
  const nobody = await call('GET', '/webhooks/subjects/nobody');
  assert.deepEqual(nobody.json.Events, []);
});

test('the export has all attempts of a delivery, however many', async () => {
  const { call, register, publish, delivered } = await inTenant('attempts');
  receiver.answer = (response) => response.writeHead(200).end();
  await register('/attempts');
  await publish(completion('eve@school.example'));
  const { json } = await delivered(1);
  const retry = `/webhooks/deliveries/${json.Items[0].Id}/retry`;
  const count = 103;
  for (let number = 2; number <= count; number += 1) {
    assert.equal((await call('POST', retry)).status, 202);
    await receiver.expect('/attempts', number);
    await delivered(1);
  }
  const exported = await call('GET', '/webhooks/subjects/eve%40school.example');
  const [{ Deliveries: deliveries }] = exported.json.Events;
  assert.equal(deliveries.length, 1);
  assert.deepEqual(
    deliveries[0].History.map(({ Number: number }: Json) => number),
    Array.from({ length: count }, (_, index) => index + 1),
  );
});

test('an erased learner is in no answer and on no page of the files, and the others are', async () => {
  const { call, register, publish, delivered } = await inTenant('erase');
  receiver.answer = (response, { body }) => response.writeHead(200).end(`got ${body}`);
  await register('/erase', { Ordering: 'subject' });
  await publish(completion('zoe.planted@school.example'), completion('ben.kept@school.example'));
  for (let count = 0; count < 30; count += 1) {
    await publish(completion('zoe.planted@school.example', `zoe-${count}`));
    await publish(completion('ben.kept@school.example', `ben-${count}`));
  }
  await delivered(61);
  assert.ok((await server.bytes()).includes('zoe.planted'));
  const { status, json: receipt } = await call(
    'DELETE',
    '/webhooks/subjects/zoe.planted%40school.example',
  );
  assert.equal(status, 200);
  const { Id, Subject, ErasedAt, ...counts } = receipt;
  assert.match(Id, /^[0-9a-f]{32}$/);
  assert.match(Subject, /^[0-9a-f]{32}$/);
  assert.ok(Date.parse(ErasedAt) > 0);
  assert.deepEqual(counts, {
    Events: 31,
    Notifications: 31,
    Deliveries: 31,
    Attempts: 31,
    Cancelled: 0,
    Waiting: 0,
    BytesGone: true,
  });
  const left = await server.bytes();
  assert.equal(left.includes('zoe.planted'), false, 'nothing is left of her');
  assert.ok(left.includes('ben.kept'));
  const { json: found } = await call('GET', '/webhooks/subjects/zoe.planted%40school.example');
  assert.deepEqual(found.Events, []);
  const { json: events } = await call('GET', '/webhooks/events?limit=100');
  assert.deepEqual(events.Items.at(-1).Notifications, [
    ERASED,
    completion('ben.kept@school.example'),
  ]);
  const { json: search } = await call(
    'GET',
    '/webhooks/deliveries?subject=login%20of%20zoe.planted%40school.example',
  );
  assert.deepEqual(search.Items, []);
  const { json: log } = await call('GET', '/webhooks/deliveries?limit=100');
  const [delivery] = log.Items.filter(({ Erased }: Json) => Erased !== undefined);
  assert.deepEqual([delivery.State, delivery.Erased], ['delivered', 1]);
  const { json: whole } = await call('GET', `/webhooks/deliveries/${delivery.Id}`);
  const [attempt] = whole.History;
  assert.deepEqual(
    [attempt.Erased, attempt.Request.Headers, attempt.Response.Body],
    [true, [], ''],
  );
  assert.deepEqual(JSON.parse(attempt.Request.Body).Notifications, [ERASED]);
  const retry = await call('POST', `/webhooks/deliveries/${delivery.Id}/retry`);
  assert.equal(retry.status, 409);
  assert.match(retry.json.Message, /was erased: there is nothing to send/);
  const samples = await call('GET', '/webhooks/filters/CourseCompleted/samples?limit=100');
  assert.equal(samples.text.includes('Erased'), false);
  const again = await call('DELETE', '/webhooks/subjects/zoe.planted%40school.example');
  assert.deepEqual([again.json.Events, again.json.Subject], [0, Subject]);
});

test('the audit log tells who read and erased, and names the learner by a keyed hash only', async () => {
  const { call, register, publish, delivered } = await inTenant('audited');
  await register('/audited');
  await publish(completion('eva@school.example'));
  await delivered(1);
  await call('GET', '/webhooks/subjects/eva%40school.example');
  const { json: receipt } = await call('DELETE', '/webhooks/subjects/EVA%40school.example');
  const { json, text } = await call('GET', '/webhooks/audit');
  assert.equal(/eva@/i.test(text), false);
  const [erased, begun, exported] = json.Items;
  assert.deepEqual(
    [erased, begun, exported].map(({ Change, Target }) => [Change, Target]),
    [
      ['learner erased', receipt.Subject],
      ['erasure begun', receipt.Subject],
      ['learner exported', receipt.Subject],
    ],
  );
  assert.equal(erased.By.Call, 'DELETE /webhooks/subjects/:key');
  assert.deepEqual([erased.After.Receipt, erased.After.Events], [receipt.Id, 1]);
});

test('what waits is sent before it is erased, or cancelled where that is asked for', async () => {
  const { call, register, publish } = await inTenant('pending');
  receiver.answer = (response) => response.writeHead(200).end();
  const paused = await register('/pending', { IsPaused: true });
  await publish(completion('kim@school.example'), completion('ben@school.example'));
  await publish(completion('kim@school.example'));
  const kim = '/webhooks/subjects/kim%40school.example';
  const { json: first } = await call('DELETE', kim);
  assert.deepEqual([first.Events, first.Waiting, first.Cancelled], [0, 2, 0]);
  assert.equal((await call('GET', kim)).json.Events.length, 2);
  const { json: second } = await call('DELETE', `${kim}?pending=cancel`);
  assert.deepEqual([second.Events, second.Waiting, second.Cancelled], [2, 0, 1]);
  const { json: log } = await call('GET', '/webhooks/deliveries');
  assert.deepEqual(
    log.Items.map(({ State, Reason }: Json) => [State, Reason]),
    [
      ['cancelled', 'what it carried was erased'],
      ['held', 'registration paused'],
    ],
  );
  await call('PUT', `/webhooks/registrations/${paused}`, {
    Id: paused,
    WebHookUri: `${at}/pending`,
    Filters: ['*'],
  });
  const [sent] = await receiver.expect('/pending', 1);
  assert.deepEqual(JSON.parse(sent?.body ?? '').Notifications, [completion('ben@school.example')]);
  const wrong = await call('DELETE', `${kim}?pending=keep`);
  assert.equal(wrong.status, 400);
  assert.equal(wrong.json.Message, 'pending is send or cancel.');
});

test('what waits in a lane goes out without the learner who was erased meanwhile', async () => {
  const { call, register, publish } = await inTenant('lane');
  const answers: (() => void)[] = [];
  const slow = new Promise<void>((resolve) => {
    receiver.answer = (response) => {
      answers.push(() => response.writeHead(200).end());
      resolve();
    };
  });
  await register('/lane');
  await publish(completion('first@school.example'));
  await slow;
  await publish(completion('lia@school.example'), completion('ben@school.example'));
  await publish(completion('lia@school.example'));
  const { json } = await call('DELETE', '/webhooks/subjects/lia%40school.example?pending=cancel');
  assert.deepEqual([json.Events, json.Cancelled, json.Waiting], [2, 1, 0]);
  receiver.answer = (response) => response.writeHead(200).end();
  for (const answer of answers) answer();
  const [, second] = await receiver.expect('/lane', 2);
  assert.deepEqual(JSON.parse(second?.body ?? '').Notifications, [
    completion('ben@school.example'),
  ]);
  assert.equal(
    receiver.received.some(({ body }) => body.includes('lia@')),
    false,
  );
});

test('a learner of another tenant is not touched, and a key that is too long is refused', async () => {
  const one = await inTenant('mine');
  const other = await inTenant('theirs');
  await one.publish(completion('ana@school.example'));
  await other.publish(completion('ana@school.example'));
  assert.equal(
    (await one.call('DELETE', '/webhooks/subjects/ana%40school.example')).json.Events,
    1,
  );
  const { json } = await other.call('GET', '/webhooks/subjects/ana%40school.example');
  assert.equal(json.Events.length, 1);
  const long = await one.call('GET', `/webhooks/subjects/${encodeURIComponent('é'.repeat(320))}`);
  assert.equal(long.status, 200);
  const longer = await one.call('GET', `/webhooks/subjects/${'a'.repeat(321)}`);
  assert.deepEqual(
    [longer.status, longer.json.Message],
    [400, 'A learner’s key is 1 to 320 characters.'.replace('’', "'")],
  );
});
