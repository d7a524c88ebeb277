import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { newId } from '../../core/id.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
import { storeContract } from '../contract.ts';
import type { NewEvent } from '../port.ts';
import { migrate } from './migrate.ts';
import { openSqliteStore } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function eventOf(action: string): NewEvent {
  const now = Date.now();
  return {
    id: newId(now),
    tenant: 't',
    acceptedAt: now,
    occurredAt: null,
    payload: '{}',
    actions: [action],
    deliveries: [
      {
        id: newId(now),
        registrationId: 'r',
        state: 'pending',
        leased: false,
        picks: null,
        orderKeys: null,
      },
    ],
  };
}

let stores = 0;
storeContract(async () => {
  stores += 1;
  const store = await openSqliteStore({ path: join(folder, `contract-${stores}.db`) });
  return { store, done: () => store.close() };
});

test('what was accepted is there after the process was killed', async () => {
  const path = join(folder, 'killed.db');
  const child = fork(new URL('./testing/accepting.ts', import.meta.url), [path]);
  const accepted: string[] = [];
  child.on('message', (id: string) => {
    accepted.push(id);
    if (accepted.length === 200) child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.once('exit', resolve));
  const store = await openSqliteStore({ path });
  const { pending } = await store.recover(ALL_SHARDS);
  assert.equal(pending.length, 1);
  for (const id of accepted) assert.notEqual(await store.event('t', id), undefined, id);
  await store.close();
});

test('what is committed gets from the log into the file while nobody waits for it', async () => {
  const path = join(folder, 'log.db');
  const store = await openSqliteStore({ path });
  const payload = 'x'.repeat(1_000_000);
  for (let n = 0; n < 30; n += 1) {
    await store.accept([{ events: [{ ...eventOf('Large'), payload }], idempotency: null }]);
  }
  // A commit itself would do it at four times as much.
  while (statSync(path).size < 10_000_000) await new Promise(setImmediate);
  await store.close();
});

test('a store that another one has open is refused with what to do', async () => {
  const path = join(folder, 'locked.db');
  const first = await openSqliteStore({ path });
  await assert.rejects(
    openSqliteStore({ path }),
    /in use by another process\. Stop that one first/,
  );
  await first.close();
  await (await openSqliteStore({ path })).close();
});

test('a damaged file is refused with what to do', async () => {
  const path = join(folder, 'damaged.db');
  writeFileSync(path, 'this is not a database, and long enough to be read as one'.repeat(100));
  await assert.rejects(
    openSqliteStore({ path }),
    /is damaged or not a database\. Restore it from a backup/,
  );
});

test('a database of a newer version is refused', async () => {
  const path = join(folder, 'newer.db');
  const database = new DatabaseSync(path);
  database.exec('pragma user_version = 99');
  database.close();
  await assert.rejects(openSqliteStore({ path }), /written by a newer Schoolbell/);
});

test('a change of a delivery makes no temporary table, which would cost more than the change', () => {
  const database = new DatabaseSync(':memory:');
  migrate(database);
  const changes = [
    "insert into deliveries (tenant, id, event_id, registration_id, state) values ('', '', '', '', 1)",
    "update deliveries set state = 1, leased = 0, outcome = 1 where tenant = '' and id = ''",
  ];
  for (const change of changes) {
    const steps = database.prepare(`explain ${change}`).all();
    assert.ok(steps.some(({ opcode }) => opcode === 'IdxInsert'));
    assert.deepEqual(
      steps.filter(({ opcode }) => opcode === 'OpenEphemeral'),
      [],
    );
  }
  database.close();
});

test('calls after the store was closed are rejected', async () => {
  const store = await openSqliteStore({ path: join(folder, 'closed.db') });
  await store.close();
  await assert.rejects(store.check());
});

test('events are found by the paths that were given last, given again or not', async () => {
  const store = await openSqliteStore({ path: join(folder, 'paths.db') });
  const now = Date.now();
  const paths = { a: [{ kind: 'learner', path: 'Id' }] } as const;
  const found = async (given: Parameters<typeof store.index>[0]): Promise<number> => {
    const event = { id: newId(now), tenant: 't', acceptedAt: now, occurredAt: null };
    const holds = { payload: '{"Action":"A","Id":"1"}', actions: ['A'], deliveries: [] };
    await store.accept([{ events: [{ ...event, ...holds }], idempotency: null }]);
    assert.equal(await store.index(given, 10), 1);
    return (await store.events({ tenant: 't', subject: '1', limit: 10 })).length;
  };
  assert.equal(await found({}), 0);
  assert.equal(await found(paths), 1);
  assert.equal(await found(paths), 2);
  assert.equal(await found({}), 2);
  await store.close();
});

test('a rare one is found behind many others, and the pages of many hold each once', async () => {
  const store = await openSqliteStore({ path: join(folder, 'many.db') });
  const events = Array.from({ length: 41_000 }, (_, n) =>
    eventOf(n % 20_000 < 2 ? 'Rare' : 'Usual'),
  );
  await store.accept([{ events, idempotency: null }]);
  while ((await store.index({}, 5000)) === 5000);
  const rare = events.filter(({ actions }) => actions[0] === 'Rare').toReversed();
  const found = await store.events({ tenant: 't', action: 'rare', limit: 10 });
  assert.deepEqual(
    found.map(({ id }) => id),
    rare.map(({ id }) => id),
  );
  const first = await store.deliveries({ tenant: 't', action: 'rare', limit: 4 });
  const before = first.at(-1)?.id ?? '';
  const second = await store.deliveries({ tenant: 't', action: 'rare', limit: 4, before });
  assert.deepEqual(
    [...first, ...second].map(({ eventId }) => eventId),
    rare.map(({ id }) => id),
  );
  assert.deepEqual(await store.deliveries({ tenant: 't', state: 'exhausted', limit: 10 }), []);
  await store.close();
});
