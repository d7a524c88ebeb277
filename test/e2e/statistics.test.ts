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
  const stats = (query = '') => call('GET', `/webhooks/stats?${query}`);
  return { call, register, stats };
}

const completed = { Action: 'CourseCompleted' };
const enrolled = { Action: 'CourseEnrollment' };

test('how much, how well and how fast, by registration and filter', async () => {
  const { call, register, stats } = await inTenant('counted');
  receiver.answer = (response, { path }) => response.writeHead(path === '/bad' ? 500 : 200).end();
  const good = await register('/good', ['*']);
  const bad = await register('/bad', ['CourseCompleted']);
  await call('POST', '/webhooks/events', [completed, enrolled, { Action: 'MadeUp' }]);
  const { json } = await until(
    () => stats('step=minute'),
    (answer) => answer.json.Total.Exhausted === 1 && answer.json.Total.Delivered === 3,
  );
  assert.equal(json.Step, 'minute');
  const { LatencyMs, AttemptMs, ...counts } = json.Total;
  assert.deepEqual(counts, {
    Published: 3,
    Deliveries: 4,
    Delivered: 3,
    Exhausted: 1,
    Attempts: 6,
    Failed: { http_5xx: 3 },
  });
  for (const { P50, P90, P99 } of [LatencyMs, AttemptMs]) assert.ok(P50 <= P90 && P90 <= P99);
  assert.equal(json.Buckets.length, 60);
  const sum = json.Buckets.reduce((all: number, each: Json) => all + each.Attempts, 0);
  assert.equal(sum, 6);
  const totals = async (query: string) => {
    const { Published, Delivered, Attempts } = (await stats(query)).json.Total;
    return [Published, Delivered, Attempts];
  };
  assert.deepEqual(await totals(`registrationId=${good}`), [3, 3, 3]);
  assert.deepEqual(await totals(`registrationId=${bad}`), [1, 0, 3]);
  assert.deepEqual(await totals('action=coursecompleted'), [1, 1, 4]);
  assert.deepEqual(await totals(`registrationId=${good}&action=CourseEnrollment`), [1, 1, 1]);
  assert.deepEqual(await totals('registrationId=unknown%00'), [0, 0, 0]);
});

test('the backlog is what waits now, and how long', async () => {
  const { call, register, stats } = await inTenant('waiting');
  const id = await register('/paused', ['*']);
  await call('PUT', `/webhooks/registrations/${id}`, {
    Id: id,
    WebHookUri: `${at}/paused`,
    IsPaused: true,
  });
  await call('POST', '/webhooks/events', [completed, completed]);
  const { Backlog } = (await stats()).json;
  assert.deepEqual(Backlog, {
    Pending: 0,
    PendingIsExact: true,
    Held: 2,
    HeldIsExact: true,
    OldestPendingSeconds: null,
  });
  assert.equal((await stats('registrationId=unknown')).json.Backlog.Held, 0);
});

test('another tenant sees nothing of it, nor does the next one of the same name', async () => {
  const { call, register, stats } = await inTenant('first');
  const id = await register('/first', ['*']);
  await call('POST', '/webhooks/events', completed);
  await until(stats, ({ json }) => json.Total.Delivered === 1);
  const other = await inTenant('second');
  assert.equal((await other.stats(`registrationId=${id}`)).json.Total.Attempts, 0);
  await admin('DELETE', '/admin/tenants/first');
  const again = await inTenant('first');
  assert.equal((await again.stats()).json.Total.Published, 0);
});

test('statistics outlive a stop', async () => {
  const { call, stats } = await inTenant('stopped');
  await call('POST', '/webhooks/events', completed);
  await server.stop();
  await server.start();
  assert.equal((await stats()).json.Total.Published, 1);
});

test('what cannot be answered is refused with what to do', async () => {
  const { stats } = await inTenant('refused');
  const refusals = {
    'step=week': /^step is one of minute, hour, day\.$/,
    'from=2026-01-02&to=2026-01-01': /^from is a time before to\.$/,
    'from=2020-01-01&to=2020-01-02&step=minute':
      /^Statistics by the minute are kept for 2 days\. Ask for a later time or step=hour\.$/,
    'from=2020-01-01&to=2020-01-02&step=hour': /kept for 60 days\..* step=day\.$/,
    'from=2020-01-01&step=hour': /^That is \d+ hours, and an answer holds 1500 at most\./,
    'from=1970-01-01&step=day': /Ask for a shorter time\.$/,
    'from=yesterday': /^from is a time such as/,
    'shard=1': /^There is no parameter 'shard'/,
  };
  for (const [query, sentence] of Object.entries(refusals)) {
    const { status, json } = await stats(query);
    assert.equal(status, 400, query);
    assert.match(json.Message, sentence);
  }
});
