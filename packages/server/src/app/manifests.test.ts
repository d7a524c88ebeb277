import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testDatabase } from '../../../../tools/postgres/test-database.ts';
import { MANIFEST, toldIn } from '../core/manifest.ts';
import { ALL_SHARDS } from '../core/shard.ts';
import { testRegistration } from '../core/testing/registration.ts';
import { Acceptor } from '../engine/acceptor.ts';
import { Waiting } from '../engine/waiting.ts';
import { Indexer } from '../service/indexer.ts';
import { Manifests } from '../service/manifests.ts';
import type { Store } from '../store/port.ts';
import { openPostgresStore } from '../store/postgres/store.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';

const DAY_MS = 86_400_000;
const MORNING = 7 * 3_600_000;
const TENANT = 'school';
const REGISTRATION = testRegistration({
  id: '01997c2000007b0e9d3f2a6b8c4d5e70',
  tenant: TENANT,
  filters: ['A', MANIFEST],
});

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-manifests-'));
const ends: (() => Promise<void>)[] = [];
after(async () => {
  for (const end of ends) await end();
  rmSync(folder, { recursive: true, force: true });
});

async function onSqlite(): Promise<Store> {
  const store = await openSqliteStore({ path: join(folder, `${ends.length}.db`) });
  ends.push(() => store.close());
  return store;
}

const NOTHING = (): void => undefined;
const LATER = (): Promise<void> => Promise.resolve();

async function onPostgres(url: string): Promise<Store> {
  const [statementTimeoutMs, poolSize] = [10_000, 4];
  const store = await openPostgresStore({
    url,
    listenUrl: null,
    poolSize,
    statementTimeoutMs,
    pooled: false,
    allowUnsafe: false,
  });
  await store.join(
    { name: 'test', version: '0' },
    {
      gained: LATER,
      leaving: LATER,
      lost: LATER,
      woken: NOTHING,
      arrived: NOTHING,
      dropped: NOTHING,
      look: NOTHING,
      changed: NOTHING,
    },
  );
  ends.push(() => store.close());
  return store;
}

/** A node that sends manifests for all registrations, of which there is one. */
function node(store: Store, day: { today: number }) {
  const now = (): number => day.today * DAY_MS + MORNING;
  const failed: unknown[] = [];
  const node = { isFull: false, ready: LATER };
  const waiting = new Waiting({ store, now, maxPending: () => Infinity });
  const acceptor = new Acceptor({
    store,
    waiting,
    isAlone: () => true,
    now,
    index: { match: () => [{ registration: REGISTRATION, picks: null }] },
    subjectsOf: () => [],
    tally: { published: NOTHING, matched: NOTHING },
    reserve: () => false,
    onCommitted: NOTHING,
    onHeld: NOTHING,
    onDropped: NOTHING,
    refresh: LATER,
  });
  const index = new Indexer({
    store,
    filters: { list: () => [] },
    onError: (error) => failed.push(error),
  });
  ends.unshift(() => index.stop());
  const look = async (): Promise<void> => {
    const manifests = new Manifests({
      store,
      tenants: { list: () => [{ id: TENANT, name: TENANT, createdAt: 0, maxPending: null }] },
      registrations: { list: () => [REGISTRATION] },
      shards: () => ALL_SHARDS,
      accept: async (request) => {
        if (node.isFull) throw new Error('disk full');
        await node.ready();
        return acceptor.accept(request);
      },
      index,
      clock: { now },
      onError: (error) => failed.push(error),
    });
    await manifests.look();
  };
  const publish = async (idempotencyKey: string | null = null): Promise<void> => {
    const notifications = [{ text: '{"Action":"A"}', action: 'A' }];
    const idempotency =
      idempotencyKey === null ? null : { tenant: TENANT, key: idempotencyKey, hash: '' };
    const events = [{ tenants: [TENANT], notifications, occurredAt: null, isExempt: false }];
    const { kind } = await acceptor.accept({ events, idempotency });
    assert.equal(kind, 'accepted');
    index.poke();
  };
  return Object.assign(node, { look, publish, failed });
}

/** The days that were told of, in the order of telling. */
async function told(store: Store): Promise<number[]> {
  while ((await store.index({}, 100)) === 100);
  const events = await store.events({ tenant: TENANT, action: MANIFEST, limit: 100 });
  const texts = events.toReversed().flatMap(({ notifications }) => notifications);
  return texts.map((text) => toldIn(text)?.day ?? assert.fail(text));
}

const FIRST = Date.UTC(2026, 8, 1) / DAY_MS;

test('days of which no manifest could be sent are made up for in their order, and quiet ones left out', async () => {
  const store = await onSqlite();
  const day = { today: FIRST };
  const one = node(store, day);
  await one.publish();
  day.today += 1;
  await one.look();
  assert.deepEqual(await told(store), [FIRST]);
  one.isFull = true;
  for (const quiet of [0, 0, 2, 0]) {
    await one.publish();
    day.today += 1 + quiet;
    await one.look();
  }
  assert.deepEqual([await told(store), one.failed.length], [[FIRST], 4]);
  one.isFull = false;
  await one.publish();
  await one.look();
  const missed = [1, 2, 3, 6].map((after) => FIRST + after);
  assert.deepEqual(await told(store), [FIRST, ...missed]);
  await one.look();
  day.today += 1;
  await one.look();
  assert.deepEqual(await told(store), [FIRST, ...missed, FIRST + 7]);
  await one.publish();
  day.today += 33;
  await one.look();
  assert.deepEqual((await told(store)).length, 6);
});

test('a key of a publisher keeps no manifest from being sent', async () => {
  const store = await onSqlite();
  const day = { today: FIRST + 100 };
  const one = node(store, day);
  const name = new Date(day.today * DAY_MS).toISOString().slice(0, 10);
  await one.publish(`${MANIFEST} ${REGISTRATION.id} ${name}`);
  day.today += 1;
  await one.look();
  assert.deepEqual([await told(store), one.failed], [[FIRST + 100], []]);
});

test('two nodes that both believe a registration is theirs send it one manifest', async () => {
  const database = await testDatabase();
  const day = { today: FIRST + 200 };
  const stores = [await onPostgres(database.url), await onPostgres(database.url)];
  ends.push(database.drop);
  const nodes = stores.map((store) => node(store, day));
  for (const each of nodes) await each.publish();
  day.today += 1;
  // Neither sees what the other one tells: both have found out that there is something to tell.
  let missing = nodes.length;
  const all = Promise.withResolvers<void>();
  const ready = async (): Promise<void> => {
    missing -= 1;
    if (missing === 0) all.resolve();
    await all.promise;
  };
  for (const each of nodes) each.ready = ready;
  await Promise.all(nodes.map((each) => each.look()));
  const [store] = stores;
  assert.deepEqual(await told(store ?? assert.fail()), [FIRST + 200]);
  assert.deepEqual(
    nodes.flatMap(({ failed }) => failed),
    [],
  );
});
