import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { PAST_PER_REQUEST } from '../../packages/server/src/engine/lane.ts';
import { testDatabase } from '../../tools/postgres/test-database.ts';
import { TestReceiver, until } from '../e2e/harness.ts';
import { FaultNode } from './nodes.ts';

/** Requests that one registration has open at most. */
const IN_FLIGHT = 8;
/** What a replay hands its lane at once: all of it may be answered before the first is on record. */
const HANDED_AT_ONCE = IN_FLIGHT * PAST_PER_REQUEST;
const SCHEDULE = `0s,${'100ms,'.repeat(20)}1s`;

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-replay-'));
const receiver = new TestReceiver();
const nodes: FaultNode[] = [];
let at = '';

before(async () => {
  at = await receiver.listen();
});

after(async () => {
  await Promise.all(nodes.map((node) => node.end('SIGKILL')));
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startNode(name: string, flags: readonly string[] = []): Promise<FaultNode> {
  const node = new FaultNode({
    dataDir: join(folder, name),
    cacheDir: join(folder, 'compiled'),
    flags: ['--retry-schedule', SCHEDULE, '--concurrency', String(IN_FLIGHT), ...flags],
  });
  nodes.push(node);
  await node.start();
  return node;
}

type Job = { readonly Id: string; readonly State: string; readonly Done: number };

/** A registration that was sent so many events, and a replay of them all that has begun. */
async function replaying(node: FaultNode, path: string, count: number) {
  const { Id } = await node.call<{ Id: string }>('POST', '/webhooks/registrations', {
    WebHookUri: at + path,
    Filters: ['CourseCompleted'],
    Conditions: { Path: [path] },
  });
  const event = { Action: 'CourseCompleted', Path: path };
  await node.call(
    'POST',
    '/webhooks/events',
    Array.from({ length: count }, () => event),
  );
  const originals = (await receiver.expect(path, count)).map(
    ({ headers }) => headers['webhook-id'],
  );
  const query = `state=pending&registrationId=${Id}&limit=1`;
  const nothingWaits = async (from: FaultNode): Promise<void> => {
    const read = () => from.call<{ Items: unknown[] }>('GET', `/webhooks/deliveries?${query}`);
    await until(read, ({ Items }) => Items.length === 0);
  };
  await nothingWaits(node);
  const body = { From: '2020-01-01', Rate: 200 };
  const made = await node.call<Job>('POST', `/webhooks/registrations/${Id}/replay`, body);
  const read = (from: FaultNode) => () => from.call<Job>('GET', `/webhooks/replays/${made.Id}`);
  return { path, originals, nothingWaits, read };
}

/** Of each original there came one delivery; only attempts that were not on record at a kill came twice. */
function check(
  t: TestContext,
  { path, originals }: Awaited<ReturnType<typeof replaying>>,
  kills: number,
): void {
  const replays = receiver.received.filter(
    (each) => each.path === path && 'webhook-replay' in each.headers,
  );
  const madeOf = Map.groupBy(replays, ({ headers }) => headers['webhook-replay']);
  const twice = replays.length - originals.length;
  t.diagnostic(`${path}: ${madeOf.size} of ${originals.length} repeated, ${twice} attempts twice`);
  assert.deepEqual(new Set(madeOf.keys()), new Set(originals), 'none is left out');
  for (const made of madeOf.values())
    assert.equal(new Set(made.map(({ headers }) => headers['webhook-id'])).size, 1);
  const mayBe = kills * HANDED_AT_ONCE;
  assert.ok(twice <= mayBe, `${twice} attempts came twice, at most ${mayBe} may`);
}

test('a replay whose server is killed again and again repeats each delivery once and leaves none out', async (t) => {
  const node = await startNode('embedded');
  const [count, kills] = [300, 3];
  const one = await replaying(node, '/killed', count);
  for (let kill = 1; kill <= kills; kill += 1) {
    await until(one.read(node), ({ Done }) => Done >= (kill * count) / (kills + 1));
    await node.end('SIGKILL');
    await node.start();
  }
  assert.equal((await until(one.read(node), ({ State }) => State === 'done')).Done, count);
  await one.nothingWaits(node);
  check(t, one, kills);
});

test('replays of a node that is killed are taken over by another', async (t) => {
  const { url } = await testDatabase();
  const adminKey = randomBytes(24).toString('hex');
  const encryptionKey = randomBytes(32).toString('base64');
  const flags = ['--database-url', url, '--admin-key', adminKey, '--encryption-key', encryptionKey];
  for (const name of ['doomed', 'other']) {
    // Where whoever starts a node looks for its key.
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'admin.key'), adminKey);
  }
  const doomed = await startNode('doomed', flags);
  const other = await startNode('other', flags);
  const count = 150;
  const all = await Promise.all(
    ['/a', '/b', '/c', '/d'].map((path) => replaying(other, path, count)),
  );
  await Promise.all(all.map((one) => until(one.read(other), ({ Done }) => Done >= count / 5)));
  await doomed.end('SIGKILL');
  for (const one of all) {
    assert.equal((await until(one.read(other), ({ State }) => State === 'done')).Done, count);
    await one.nothingWaits(other);
    check(t, one, 1);
  }
});
