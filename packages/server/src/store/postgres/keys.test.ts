import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type TestDatabase, testDatabase } from '../../../../../tools/postgres/test-database.ts';
import { newId } from '../../core/id.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import type { NewEvent, Store } from '../port.ts';
import { RecentEvents } from './recent-events.ts';
import { openPostgresStore } from './store.ts';

const databases: TestDatabase[] = [];
after(() => Promise.all(databases.map(({ drop }) => drop())));

const OPTIONS = {
  listenUrl: null,
  poolSize: 2,
  statementTimeoutMs: 10_000,
  pooled: false,
  allowUnsafe: false,
};
const PATHS: SubjectPaths = { enrolled: [{ kind: 'learner', path: 'Learner' }] };

/** The stores of so many nodes on one database. */
async function nodes(count: number): Promise<Store[]> {
  const database = await testDatabase();
  databases.push(database);
  const open = (): Promise<Store> => openPostgresStore({ ...OPTIONS, url: database.url });
  return Promise.all(Array.from({ length: count }, open));
}

function enrolled(learner: string): NewEvent {
  const payload = JSON.stringify({ Action: 'Enrolled', Learner: learner });
  const id = newId(Date.now());
  const actions = ['Enrolled'];
  return {
    id,
    tenant: 't',
    acceptedAt: Date.now(),
    occurredAt: null,
    payload,
    actions,
    deliveries: [],
  };
}

async function publish(store: Store, learners: readonly string[]): Promise<void> {
  await store.accept([{ events: learners.map(enrolled), idempotency: null }]);
}

async function eventsOf(store: Store, subject: string): Promise<number> {
  return (await store.events({ tenant: 't', subject, limit: 50 })).length;
}

test('what another node looked over is found once, and looked over again by nobody', async () => {
  const [one, other] = await nodes(2);
  assert.ok(one !== undefined && other !== undefined);
  await publish(one, ['ana', 'ana', 'ben']);
  assert.equal(await other.index(PATHS, 2), 2);
  await one.index(PATHS, 100);
  assert.equal(await eventsOf(other, 'ana'), 2);
  assert.equal(await eventsOf(other, 'ben'), 1);
  assert.equal(await one.index(PATHS, 100), 0);
  assert.equal(await other.index(PATHS, 100), 0);
  await Promise.all([one.close(), other.close()]);
});

test('nodes that look over the same events at once note each once', async () => {
  const stores = await nodes(3);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(stores.map((store) => publish(store, ['ana', 'ben'])));
    await Promise.all(stores.map((store) => store.index(PATHS, 4)));
  }
  const [one] = stores;
  assert.ok(one !== undefined);
  while ((await one.index(PATHS, 100)) > 0);
  for (const learner of ['ana', 'ben']) {
    const query = { tenant: 't', subject: learner, limit: 100 };
    assert.equal((await one.events(query)).length, 60);
  }
  await Promise.all(stores.map((store) => store.close()));
});

test('two thousand events are looked over in a moment', async () => {
  const [store] = await nodes(1);
  assert.ok(store !== undefined);
  await publish(
    store,
    Array.from({ length: 2000 }, (_, n) => `learner ${n}`),
  );
  const from = performance.now();
  assert.equal(await store.index(PATHS, 2000), 2000);
  assert.ok(performance.now() - from < 1500, `${performance.now() - from} ms`);
  assert.equal(await eventsOf(store, 'learner 1999'), 1);
  await store.close();
});

test('what was removed before it was looked over is not found', async () => {
  const [one, other] = await nodes(2);
  assert.ok(one !== undefined && other !== undefined);
  const tenant = { id: 't', name: 't', createdAt: Date.now(), maxPending: null };
  await one.insertTenant(tenant);
  await publish(one, ['ana']);
  await other.deleteTenant('t');
  await other.insertTenant(tenant);
  await one.index(PATHS, 100);
  assert.deepEqual(await other.countEvents({ tenant: 't', subject: 'ana' }), {
    count: 0,
    isExact: true,
  });
  await Promise.all([one.close(), other.close()]);
});

test('events are kept in memory until they were looked over, as far as there is room', () => {
  const recent = new RecentEvents();
  const large = { ...enrolled('ana'), payload: 'x'.repeat(1024 * 1024) };
  const publication = { events: [large], idempotency: null };
  recent.add(Array.from({ length: 20 }, () => publication));
  assert.equal(recent.take(10).length, 10);
  recent.add([publication, publication]);
  assert.equal(recent.take(100).length, 8);
  assert.equal(recent.take(100).length, 0);
  recent.add([publication]);
  assert.equal(recent.take(100).length, 1);
});
