import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, test } from 'node:test';
import { SchoolbellClient } from '../../packages/sdk/src/index.ts';
import { type Answer, caller, type Json, TestReceiver, TestServer, until } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
const admin = caller(server, () => server.running.adminKey);
let at = '';
let tenants = 0;

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

const isDone = ({ json }: Answer): boolean => json.State === 'done';

/** A tenant with one registration, and what can be done with it. */
async function fresh(rest: object = {}) {
  const Id = `replay-${(tenants += 1)}`;
  await admin('POST', '/admin/tenants', { Id });
  const call = caller(server, () => server.running.adminKey, Id);
  const path = `/${Id}`;
  const made = await call('POST', '/webhooks/registrations', { WebHookUri: at + path, ...rest });
  assert.equal(made.status, 201, made.text);
  const id: string = made.json.Id;
  const rows = async (query = ''): Promise<Json[]> =>
    (await call('GET', `/webhooks/deliveries?limit=1000${query}`)).json.Items;
  return {
    id,
    call,
    path,
    rows,
    publish: (...events: object[]) => call('POST', '/webhooks/events', events),
    replay: (body: object) => call('POST', `/webhooks/registrations/${id}/replay`, body),
    /** Every delivery that is there has ended. */
    ended: (count: number) =>
      until(rows, (all) => all.length >= count && all.every(({ State }) => State !== 'pending')),
    done: (job: string) => until(() => call('GET', `/webhooks/replays/${job}`), isDone),
  };
}

const completed = (n: number, user = 'ana') => ({
  Action: 'CourseCompleted',
  Number: n,
  Users: [{ Id: user }],
});

function only(path: string, answer: (response: ServerResponse) => void): void {
  const plain = receiver.answer;
  receiver.answer = (response, received) =>
    received.path === path ? answer(response) : plain(response, received);
}

test('what was used up is sent again by one call, says what it repeats, and the log tells both', async () => {
  const { id, call, path, publish, replay, ended, rows, done } = await fresh();
  await publish(completed(0));
  await ended(1);
  only(path, (response) => response.writeHead(500).end());
  await publish(completed(1), completed(2));
  const originals = (await ended(3)).slice(0, 2);
  assert.ok(originals.every(({ State, ReplayOf }) => State === 'exhausted' && ReplayOf === null));
  only(path, (response) => response.writeHead(200).end());
  const before = receiver.received.filter((each) => each.path === path).length;

  const answer = await replay({ States: ['exhausted'], From: '2020-01-01' });
  assert.equal(answer.status, 202, answer.text);
  assert.equal(
    answer.headers.get('location'),
    `${server.running.url}/webhooks/replays/${answer.json.Id}`,
  );
  const { Kind, RegistrationId, State, Total, TotalIsExact, Rate } = answer.json;
  assert.deepEqual(
    { Kind, RegistrationId, State, Total, TotalIsExact, Rate },
    {
      Kind: 'replay',
      RegistrationId: id,
      State: 'running',
      Total: 2,
      TotalIsExact: true,
      Rate: 50,
    },
  );
  const { json: job } = await done(answer.json.Id);
  assert.equal(job.Done, 2);
  assert.ok(job.EndedAt >= job.CreatedAt);

  const all = await receiver.expect(path, before + 2);
  const replays = all.slice(before);
  assert.deepEqual(
    new Set(replays.map(({ headers }) => headers['webhook-replay'])),
    new Set(originals.map((row) => row.Id)),
  );
  for (const { headers, body } of replays) {
    const first = all.find((each) => each.headers['webhook-id'] === headers['webhook-replay']);
    const [was, is] = [JSON.parse(first?.body ?? ''), JSON.parse(body)];
    assert.equal(headers['webhook-id'], is.Id);
    assert.notEqual(is.Id, was.Id);
    assert.deepEqual([is.Attempt, is.Notifications], [1, was.Notifications]);
    assert.equal(first?.headers['webhook-replay'], undefined);
    const [row] = (await rows()).filter((each) => each.Id === is.Id);
    assert.deepEqual([row.ReplayOf, row.ReplayId], [was.Id, job.Id]);
  }
  const { json: audit } = await call('GET', '/webhooks/audit');
  const [entry] = audit.Items.filter((each: Json) => each.Change === 'replay started');
  assert.equal(entry.Target, job.Id);
});

test('a replay is narrowed by subject, filter and ids, and forgets the subject when it ends', async () => {
  const { path, publish, replay, ended, done, rows, call } = await fresh();
  await publish(completed(1), completed(2, 'ben'), { Action: 'CourseEnrollment', Number: 3 });
  await ended(3);
  const numbersOf = async (body: object, count: number): Promise<number[]> => {
    const before = receiver.received.length;
    const answer = await replay(body);
    assert.equal(answer.status, 202, answer.text);
    assert.equal(answer.json.Total, count);
    const { json } = await done(answer.json.Id);
    assert.equal(json.Subject, undefined);
    await until(rows, (all) => all.every(({ State }) => State === 'delivered'));
    return receiver.received
      .slice(before)
      .filter((each) => each.path === path)
      .map(({ body: text }) => JSON.parse(text).Notifications[0].Number);
  };
  assert.deepEqual(await numbersOf({ Subject: 'ben' }, 1), [2]);
  assert.deepEqual(await numbersOf({ Filters: ['courseenrollment'] }, 1), [3]);
  const [newest] = await rows('&action=CourseEnrollment&state=delivered');
  assert.deepEqual(await numbersOf({ Deliveries: [newest.Id, newest.Id] }, 1), [3]);
  assert.deepEqual(await numbersOf({ States: ['cancelled'] }, 0), []);
  const { text } = await call('GET', '/webhooks/audit');
  assert.ok(!text.includes('ben'), 'the audit log does not keep who it was about');
});

test('what waits is not repeated: it is coming anyway', async () => {
  const { publish, replay, rows } = await fresh({ IsPaused: true });
  await publish(completed(1));
  assert.equal((await replay({ From: '2020-01-01' })).json.Total, 0);
  assert.equal((await rows()).length, 1);
});

test('a replay is paused, goes on where it was, and is ended by hand', async () => {
  const { call, publish, replay, ended, rows } = await fresh();
  await publish(...Array.from({ length: 6 }, (_, n) => completed(n)));
  await ended(6);
  const { json: made } = await replay({ From: '2020-01-01', Rate: 1 });
  const act = (what: string) => call('POST', `/webhooks/replays/${made.Id}/${what}`);
  const read = () => call('GET', `/webhooks/replays/${made.Id}`);
  await until(read, ({ json }) => json.Done === 1);
  const paused = await act('pause');
  assert.deepEqual([paused.status, paused.json.State], [200, 'paused']);
  assert.equal((await act('pause')).status, 409);
  const { Done: stopped } = paused.json;
  assert.equal((await rows()).length, 6 + stopped);
  const resumed = await act('resume');
  assert.deepEqual([resumed.status, resumed.json.State], [200, 'running']);
  await until(read, ({ json }) => json.Done > stopped);
  const cancelled = await act('cancel');
  assert.deepEqual(
    [cancelled.json.State, cancelled.json.Reason],
    ['cancelled', 'cancelled by hand'],
  );
  const refused = await act('resume');
  assert.equal(refused.status, 409);
  assert.match(refused.json.Message, /^The replay [0-9a-f]{32} is cancelled\.$/);
  assert.equal((await rows()).length, 6 + cancelled.json.Done);
});

test('replays are listed newest first, page by page, and by registration', async () => {
  const { id, call, replay, path } = await fresh();
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) ids.unshift((await replay({ From: '2020-01-01' })).json.Id);
  const list = async (query: string) => (await call('GET', `/webhooks/replays${query}`)).json;
  const first = await list(`?limit=2&registrationId=${id}`);
  const second = await list(`?limit=2&cursor=${first.Next}`);
  const found = [...first.Items, ...second.Items].map((each: Json) => each.Id);
  assert.deepEqual([found, second.Next], [ids, null]);
  assert.deepEqual((await list('?registrationId=other')).Items, []);
  const { url: baseUrl, adminKey: key } = server.running;
  const client = new SchoolbellClient({ baseUrl, key, tenant: path.slice(1) });
  const listed: string[] = [];
  for await (const each of client.replays({ limit: '2' })) listed.push(each.Id);
  assert.deepEqual(listed, ids);
  const started = await client.startReplay(id, { States: ['cancelled'], Rate: 5 });
  assert.deepEqual([started.State, started.Total, started.Rate], ['running', 0, 5]);
  const over = () => client.replay(started.Id);
  await until(over, ({ State }) => State === 'done');
  await assert.rejects(client.changeReplay(started.Id, 'pause'), /is done\.$/);
});

test('what cannot be done is refused with a sentence', async () => {
  const { call, replay } = await fresh({ IsPaused: true });
  const refusals: [object, RegExp][] = [
    [{}, /^Say what to send again: From, To, States/],
    [{ From: '2026-09-02', To: '2026-09-01' }, /^From is not before To\.$/],
    [{ From: 'yesterday' }, /^From is a time such as/],
    [{ Filters: ['Nothing'] }, /^There is no filter 'Nothing'/],
    [{ From: '2020-01-01', Rate: 501 }, /^The request is invalid\.$/],
    [{ States: ['pending'] }, /^The request is invalid\.$/],
    [{ Deliveries: ['x'] }, /^The request is invalid\.$/],
    [{ Subject: 'a\u0000b' }, /^The request is invalid\.$/],
    [{ Since: '2020-01-01' }, /^There is no member 'Since'/],
  ];
  for (const [body, sentence] of refusals) {
    const { status, json } = await replay(body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(json.Message, sentence);
  }
  const unknown = '0190000000007000800000000000ffff';
  const body = { From: '2020-01-01' };
  const path = `/webhooks/registrations/${unknown}/replay`;
  assert.equal((await call('POST', path, body)).status, 404);
  assert.equal((await call('POST', `/webhooks/replays/${unknown}/pause`)).status, 404);
});

test('ten replays of a tenant are unfinished at most', async () => {
  const { replay, call } = await fresh({ IsPaused: true });
  const statuses: number[] = [];
  let last: Answer | undefined;
  let first = '';
  for (let n = 0; n < 11; n += 1) {
    last = await replay({ From: '2020-01-01' });
    first ||= last.json.Id;
    statuses.push(last.status);
  }
  assert.deepEqual(statuses, [...Array.from({ length: 10 }, () => 202), 409]);
  assert.match(last?.json.Message, /^There are 10 unfinished replays already/);
  await call('POST', `/webhooks/replays/${first}/cancel`);
  assert.equal((await replay({ From: '2020-01-01' })).status, 202);
});

test('fresh events do not wait behind a replay', async () => {
  const { path, publish, replay, ended } = await fresh();
  await publish(...Array.from({ length: 100 }, (_, n) => completed(n)));
  await ended(100);
  const held: ServerResponse[] = [];
  only(path, (response) => held.push(response));
  await replay({ From: '2020-01-01', Rate: 500 });
  await until(
    () => Promise.resolve(held.length),
    (count) => count > 0,
  );
  await publish(completed(1000));
  only(path, (response) => response.writeHead(200).end());
  for (const response of held) response.writeHead(200).end();
  const sent = (await receiver.expect(path, 201)).slice(100);
  const place = sent.findIndex(({ body }) => body.includes('"Number":1000'));
  assert.ok(place >= 0 && place < 50, `it came as number ${place}`);
});

test('a replay ends when its registration is deleted', async () => {
  const { id, call, publish, replay, ended } = await fresh();
  await publish(completed(1), completed(2), completed(3));
  await ended(3);
  const { json } = await replay({ From: '2020-01-01', Rate: 1 });
  await call('DELETE', `/webhooks/registrations/${id}`);
  const over = await until(
    () => call('GET', `/webhooks/replays/${json.Id}`),
    (answer) => answer.json.State !== 'running',
  );
  assert.deepEqual([over.json.State, over.json.Reason], ['cancelled', 'registration deleted']);
});

test('deliveries in an order are repeated in it', async () => {
  const { path, publish, replay, ended, done } = await fresh({ Ordering: 'strict' });
  await publish(...Array.from({ length: 20 }, (_, n) => completed(n)));
  await ended(20);
  const { json } = await replay({ From: '2020-01-01', Rate: 500 });
  await done(json.Id);
  await ended(40);
  const numbers = receiver.received
    .filter((each) => each.path === path)
    .map(({ body }) => JSON.parse(body).Notifications[0].Number);
  const once = Array.from({ length: 20 }, (_, n) => n);
  assert.deepEqual(numbers, [...once, ...once]);
});

test('a new registration is sent what happened since a moment, as far as it matches, and each event once', async () => {
  const { path, call, publish, ended } = await fresh({ Filters: ['CourseCompleted'] });
  const [early, late] = [completed(1, 'ben'), completed(2)];
  await publish(early, { Action: 'CourseEnrollment', Number: 3 }, late, completed(4));
  const both = {
    Notifications: [completed(5), { Action: 'CourseEnrollment' }, completed(6, 'ben')],
  };
  await call('POST', '/webhooks/events', both);
  await ended(4);
  const made = await call('POST', '/webhooks/registrations', {
    WebHookUri: `${at}${path}-new`,
    Filters: ['CourseCompleted'],
    Conditions: { 'Users.Id': ['ana'] },
  });
  assert.equal(made.status, 201, made.text);
  await publish(completed(7));
  const backfill = (rest: object = {}) =>
    call('POST', `/webhooks/registrations/${made.json.Id}/replay`, {
      Kind: 'backfill',
      From: '2020-01-01',
      ...rest,
    });
  const one = await backfill();
  assert.deepEqual([one.status, one.json.Kind, one.json.Total], [202, 'backfill', 3], one.text);
  const read = (id: string) => () => call('GET', `/webhooks/replays/${id}`);
  assert.equal((await until(read(one.json.Id), isDone)).json.Done, 3);
  const sent = await receiver.expect(`${path}-new`, 4);
  const numbers = sent.map(({ body }) =>
    JSON.parse(body).Notifications.map((each: Json) => each.Number),
  );
  assert.deepEqual(new Set(numbers.map(String)), new Set(['2', '4', '5', '7']));
  assert.ok(sent.every(({ headers }) => headers['webhook-replay'] === undefined));
  const again = await backfill();
  assert.equal(again.json.Total, 0);
  assert.equal((await until(read(again.json.Id), isDone)).json.Done, 0);
  const [row] = (
    await call(
      'GET',
      `/webhooks/deliveries?registrationId=${made.json.Id}&to=${one.json.CreatedAt}`,
    )
  ).json.Items;
  assert.equal(row.ReplayId, null);

  const refusals: [object, RegExp][] = [
    [{ From: undefined }, /^A backfill takes From: the time/],
    [{ States: ['exhausted'] }, /^A backfill takes From, To and Rate; what/],
  ];
  for (const [rest, sentence] of refusals) {
    const refused = await backfill(rest);
    assert.equal(refused.status, 400);
    assert.match(refused.json.Message, sentence);
  }
});
