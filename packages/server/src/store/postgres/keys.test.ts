import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import pg from 'pg';
import { type TestDatabase, testDatabase } from '../../../../../tools/postgres/test-database.ts';
import { idAt, newId } from '../../core/id.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import type { NewEvent, Store } from '../port.ts';
import { Database } from './database.ts';
import { createPartitions } from './partitions.ts';
import { RecentEvents } from './recent-events.ts';
import { openPostgresStore } from './store.ts';
import { rows } from './testing/stores.ts';
import { EVENTS_A_ROW } from './unindexed.ts';

const databases: TestDatabase[] = [];
after(() => Promise.all(databases.map(({ drop }) => drop())));

const OPTIONS = {
  listenUrl: null,
  poolSize: 2,
  statementTimeoutMs: 10_000,
  pooled: false,
  allowUnsafe: false,
};
const DAY_MS = 86_400_000;
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

async function publish(store: Store, learners: readonly string[], at = Date.now()): Promise<void> {
  const events = learners.map((learner) => ({
    ...enrolled(learner),
    id: idAt(at) + newId(0).slice(12),
  }));
  await store.accept([{ events, idempotency: null }]);
}

async function eventsOf(store: Store, subject: string): Promise<number> {
  return (await store.events({ tenant: 't', subject, limit: 50 })).length;
}

test('what another node looked over is found once, and looked over again by nobody', async () => {
  const [one, other] = await nodes(2);
  assert.ok(one !== undefined && other !== undefined);
  await publish(one, ['ana', 'ana']);
  await publish(one, ['ben']);
  assert.equal(await other.index(PATHS, 1), 2);
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

test('what another node has just accepted is left to it, and looked over where that is gone', async () => {
  const [one, other] = await nodes(2);
  assert.ok(one !== undefined && other !== undefined);
  assert.equal(await other.index(PATHS, 100), 0);
  await publish(one, ['ana'], Date.now() - 60_000);
  await publish(one, ['ben']);
  await one.close();
  assert.equal(await other.index(PATHS, 100, true), 1);
  assert.deepEqual([await eventsOf(other, 'ana'), await eventsOf(other, 'ben')], [1, 0]);
  assert.equal(await other.index(PATHS, 100, true), 0);
  assert.equal(await other.index(PATHS, 100), 1);
  assert.equal(await eventsOf(other, 'ben'), 1);
  await other.close();
});

test('events that waited before the second migration are found after it', async () => {
  const database = await testDatabase();
  databases.push(database);
  // Of a day that gets no partition of its own.
  const event = { ...enrolled('ana'), id: idAt(Date.now() - 20 * DAY_MS) + newId(0).slice(12) };
  await rows(
    database.url,
    await readFile(new URL('./migrations/0001.sql', import.meta.url), 'utf8'),
  );
  await rows(
    database.url,
    `create table schema_version (version integer primary key, made_at timestamptz not null default now());
     insert into schema_version (version) values (1);
     insert into events (tenant, id, accepted_at, actions, payload)
     values ('t', '${event.id}', 0, '["Enrolled"]', '${event.payload}');
     insert into unindexed_events values ('t', '${event.id}')`,
  );
  const store = await openPostgresStore({ ...OPTIONS, url: database.url });
  assert.equal(await store.index(PATHS, 100), 1);
  assert.equal(await eventsOf(store, 'ana'), 1);
  await store.close();
});

test('events of one commit wait together, of each tenant up to so many', async () => {
  const [store] = await nodes(1);
  assert.ok(store !== undefined);
  const many = Array.from({ length: EVENTS_A_ROW + 1 }, () => enrolled('ana'));
  const stranger = { ...enrolled('ben'), tenant: 'stranger' };
  await store.accept([{ events: [...many, stranger], idempotency: null }]);
  assert.equal(await store.index(PATHS, 1), EVENTS_A_ROW);
  assert.equal(await store.index(PATHS, 2), 2);
  assert.equal(await store.index(PATHS, 1), 0);
  assert.equal((await store.countEvents({ tenant: 't', subject: 'ana' })).count, many.length);
  await store.close();
});

test('what could not be noted is read again from the database', async () => {
  const [store] = await nodes(1);
  assert.ok(store !== undefined);
  assert.equal(await store.index(PATHS, 100), 0);
  await publish(store, ['ana']);
  const database = databases.at(-1);
  assert.ok(database !== undefined);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('alter table event_keys rename to elsewhere');
  await assert.rejects(store.index(PATHS, 100));
  await client.query('alter table elsewhere rename to event_keys');
  await client.end();
  assert.equal(await store.index(PATHS, 100), 1);
  assert.equal(await eventsOf(store, 'ana'), 1);
  await store.close();
});

test('of events that waited together those are found that are kept, whether others went one by one or with their day', async () => {
  const [one, other] = await nodes(2);
  const url = databases.at(-1)?.url;
  assert.ok(one !== undefined && other !== undefined && url !== undefined);
  const now = Date.now();
  const database = new Database({ ...OPTIONS, url });
  await createPartitions(database, now - 20 * DAY_MS);
  await database.close();
  const at = (days: number): NewEvent => {
    const event = enrolled('ana');
    return { ...event, id: idAt(now - days * DAY_MS) + event.id.slice(12) };
  };
  const [withItsDay, byItself, kept] = [at(20), at(10), at(0)];
  await one.accept([{ events: [withItsDay, byItself, kept], idempotency: null }]);
  assert.equal(await other.prune(now - 15 * DAY_MS, 100), 100);
  const some = { tenant: 't', action: null, before: now - 5 * DAY_MS, limit: 100 };
  await other.pruneSome(some);
  assert.deepEqual(await rows(url, 'select ids from unindexed_events'), [{ ids: [kept.id] }]);
  await one.index(PATHS, 100);
  const query = { tenant: 't', subject: 'ana' };
  assert.deepEqual(await other.countEvents(query), { count: 1, isExact: true });
  await Promise.all([one.close(), other.close()]);
});

test('events are kept in memory until they were looked over, as far as there is room', () => {
  const recent = new RecentEvents();
  const commit = (): void => {
    const large = { ...enrolled('ana'), payload: 'x'.repeat(1024 * 1024) };
    recent.add([{ events: [large], idempotency: null }]);
  };
  for (let n = 0; n < 20; n += 1) commit();
  assert.equal(recent.take(10).length, 10);
  commit();
  commit();
  assert.equal(recent.take(100).length, 8);
  assert.equal(recent.take(100).length, 0);
  commit();
  assert.equal(recent.take(100).length, 1);
});

test('the database is read until it has nothing of this node’s, and from then on now and then for what is old', () => {
  const recent = new RecentEvents();
  const [now, large] = [Date.now(), { ...enrolled('ana'), payload: 'x'.repeat(20_000_000) }];
  const all = recent.othersBelow(now) ?? '';
  assert.ok(all > large.id);
  assert.equal(recent.othersBelow(now), all);
  recent.readAll(all);
  assert.equal(recent.othersBelow(now), idAt(now - 5000));
  assert.equal(recent.othersBelow(now + 4999), null);
  assert.equal(recent.othersBelow(now + 5000), idAt(now));
  recent.add([{ events: [large], idempotency: null }]);
  assert.equal(recent.othersBelow(now + 5000), all);
  recent.readAll(all);
  recent.lose();
  recent.readAll(idAt(now));
  assert.equal(recent.othersBelow(now + 5000), all);
});
