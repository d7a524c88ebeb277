import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, mock, test } from 'node:test';
import { checkManifest, type Had } from '../../packages/sdk/src/index.ts';
import { caller, type Json, type Received, TestReceiver, TestServer } from './harness.ts';

const DAY_MS = 86_400_000;
const NAME = 'Schoolbell.Manifest';
const server = new TestServer();
const receiver = new TestReceiver();
const call = caller(server, () => server.running.adminKey);
const realNow = Date.now.bind(Date);
let ahead = 0;
let url = '';

before(async () => {
  mock.method(Date, 'now', () => realNow() + ahead);
  // Noon, so that no midnight comes in between, and far enough for the clock of what is due.
  ahead = 2.5 * DAY_MS - (realNow() % DAY_MS);
  await server.start();
  url = await receiver.listen();
});
after(async () => {
  await Promise.all([server.end(), receiver.close()]);
  mock.reset();
});

const register = async (path: string, filters: readonly string[]): Promise<string> => {
  const body = { WebHookUri: url + path, Filters: filters, Secret: 's'.repeat(32) };
  return (await call('POST', '/webhooks/registrations', body)).json.Id;
};
const publish = (body: unknown): Promise<unknown> => call('POST', '/webhooks/events', body);
const rowOf = ({ headers }: Received): Had => [
  Number(headers['schoolbell-sequence']),
  String(headers['webhook-id']),
];
const manifestIn = ({ body }: Received): Json => JSON.parse(body).Notifications[0];

const isManifestOf =
  (wanted: string) =>
  ({ path, body }: Received): boolean =>
    path === wanted && JSON.parse(body).Notifications[0].Action === NAME;

/** As many days later, after a stop and a start. */
async function daysLater(days: number): Promise<void> {
  await server.stop();
  // Only a jump of more than a day is believed at once.
  ahead += days * (DAY_MS + 60_000);
  await server.start();
}

async function manifests(registrationId?: string): Promise<Json[]> {
  const of = registrationId === undefined ? '' : `&registrationId=${registrationId}`;
  return (await call('GET', `/webhooks/deliveries?action=${NAME}${of}`)).json.Items;
}

test('a registration that asks for it is sent a manifest of each day, about itself, once', async () => {
  const own = await register('/own', ['CourseCompleted', NAME]);
  const other = await register('/other', ['schoolbell.manifest', 'UserCreated']);
  const all = await register('/all', ['*']);
  const day = new Date(Date.now()).toISOString().slice(0, 10);
  for (const n of [1, 2, 3]) await publish({ Action: 'CourseCompleted', n });
  await publish({ Action: 'UserCreated' });
  const sent = (await receiver.expect('/own', 3)).slice();
  await receiver.expect('/all', 4);

  await daysLater(1);
  const signed = (await receiver.expect('/own', 4))[3] ?? assert.fail();
  assert.match(String(signed.headers['webhook-signature']), /^v1,/);
  assert.equal(signed.headers['schoolbell-sequence'], '4');
  const manifest = manifestIn(signed);
  const rows = sent.map(rowOf).toSorted(([a], [b]) => a - b);
  const lines = rows.map(([sequence, id]) => `${sequence} ${id}\n`).join('');
  const { TimeStamp: _at, Tenant: _tenant, Message: message, ...facts } = manifest;
  assert.deepEqual(facts, {
    Action: NAME,
    Registration: { Id: own, Description: null },
    Day: day,
    Count: 3,
    First: 1,
    Last: 3,
    Digest: createHash('sha256').update(lines).digest('hex'),
  });
  assert.match(message, /^3 deliveries .* the numbers 1 to 3\.$/);
  assert.equal((await checkManifest(manifest, rows)).complete, true);
  const gap = await checkManifest(manifest, rows.slice(0, 2));
  assert.deepEqual([gap.complete, gap.missing], [false, [3]]);
  const [, theirs] = await receiver.expect('/other', 2);
  assert.equal(manifestIn(theirs ?? assert.fail()).Registration.Id, other);

  assert.deepEqual(await manifests(all), []);

  // Registrations are seen to in the order of their making: when this one has its manifest, all have.
  const body = { Id: all, WebHookUri: `${url}/all`, Filters: ['*', NAME] };
  assert.equal((await call('PUT', `/webhooks/registrations/${all}`, body)).status, 200);
  await daysLater(0);
  const [, , , , late] = await receiver.expect('/all', 5);
  const { First, Last } = manifestIn(late ?? assert.fail());
  assert.deepEqual([First, Last], [1, 4]);
  assert.equal((await manifests(own)).length, 1);
  assert.equal((await manifests(other)).length, 1);
});

test('a day of nothing but a manifest has none, and one that ended while nothing ran is made up for', async () => {
  await daysLater(1);
  const { Registration } = manifestIn(
    receiver.received.find(isManifestOf('/own')) ?? assert.fail(),
  );
  const own = Registration.Id;
  await publish({ Action: 'CourseCompleted', n: 5 });
  await receiver.expect('/own', 5);
  await daysLater(4);
  const manifest = manifestIn((await receiver.expect('/own', 6))[5] ?? assert.fail());
  assert.deepEqual([manifest.First, manifest.Last, manifest.Count], [5, 5, 1]);
  const before = new Date(Date.now() - 4 * DAY_MS).toISOString().slice(0, 10);
  assert.equal(manifest.Day, before);
  await publish({ Action: 'UserCreated' });
  await daysLater(1);
  const others = await receiver.expect('/other', 4);
  assert.deepEqual(others.map(isManifestOf('/other')), [false, true, false, true]);
  assert.equal((await manifests(own)).length, 2);
});

test('what was erased is in the manifest, and a backfill brings nobody the manifests of others', async () => {
  const Id = await register('/erased', ['CourseEnrollment', NAME]);
  const learner = { Id: 'u-1', Email: 'ana@school.example' };
  await publish({ Action: 'CourseEnrollment', User: learner, Course: { Id: 'c-1' } });
  await receiver.expect('/erased', 1);
  assert.equal((await call('DELETE', '/webhooks/subjects/u-1')).status, 200);
  await daysLater(1);
  const [row, told] = await receiver.expect('/erased', 2);
  const manifest = manifestIn(told ?? assert.fail());
  const check = await checkManifest(manifest, [rowOf(row ?? assert.fail())]);
  assert.deepEqual([check.complete, manifest.Registration.Id], [true, Id]);
  const late = await register('/late', ['CourseEnrollment', NAME]);
  const from = new Date(Date.now() - 30 * DAY_MS).toISOString();
  const job = await call('POST', `/webhooks/registrations/${late}/replay`, {
    Kind: 'backfill',
    From: from,
  });
  assert.equal(job.status, 202, job.text);
  for (;;) {
    const { State } = (await call('GET', `/webhooks/replays/${job.json.Id}`)).json;
    if (State === 'done') break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await manifests(late), []);
});
