import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import type { AppError } from '../../core/errors.ts';
import { idAt } from '../../core/id.ts';
import { emptyCounts } from '../../core/statistics.ts';
import type { Job } from '../../core/job.ts';
import { ALL_SHARDS } from '../../core/shard.ts';
import { storeContract } from '../contract.ts';
import type { NewEvent, NodeEvents } from '../port.ts';
import { Database } from './database.ts';
import { createPartitions } from './partitions.ts';
import { openPostgresStore } from './store.ts';
import { endedAt, fresh, idOf, joined, madeAt, OPTIONS, rows } from './testing/stores.ts';

storeContract(async () => {
  const store = await joined(await fresh());
  return { store, done: () => store.close() };
});

const DAY_MS = 86_400_000;
const LOG = { poolSize: 2, statementTimeoutMs: 5000, pooled: false, listenUrl: null };

test('a connection that breaks in the middle of a transaction fails that, and nothing else', async () => {
  const url = await fresh();
  const store = await joined(url);
  const tenant = { id: 't', name: 'T', createdAt: 0, maxPending: null };
  await store.insertTenant(tenant);
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  await other.query('begin; select pg_advisory_xact_lock(836500005)');
  const row = { tenant: 't', registrationId: '', action: '', start: 0, stepMs: 60_000 };
  const adding = store.addStatistics([{ ...row, counts: emptyCounts() }]);
  const refused = assert.rejects(adding, /The database cannot be reached now/);
  const blocked = "select pid from pg_stat_activity where wait_event = 'advisory'";
  let waiting: readonly { readonly pid: number }[] = [];
  while (waiting.length === 0) waiting = (await other.query<{ pid: number }>(blocked)).rows;
  await other.query('select pg_terminate_backend($1)', [waiting[0]?.pid]);
  await refused;
  await other.end();
  await store.addStatistics([{ ...row, counts: { ...emptyCounts(), published: 1 } }]);
  const [kept] = await store.statistics({ ...row, from: 0, to: 1 });
  assert.equal(kept?.counts.published, 1);
  await store.close();
});

function jobOf(now: number): Job {
  const nothing = { from: null, to: null, states: null, filters: null };
  return {
    id: idOf(now),
    tenant: 't',
    registrationId: 'r',
    kind: 'replay',
    state: 'running',
    reason: null,
    selection: { ...nothing, subject: null, deliveries: null },
    rate: 1,
    createdAt: now,
    endedAt: null,
    total: null,
    done: 0,
    cursor: null,
  };
}

test('nodes that start at once migrate once, and leave no connection open', async () => {
  const url = await fresh();
  const stores = await Promise.all(Array.from({ length: 4 }, () => joined(url)));
  const migrated = await rows(url, 'select version from schema_version order by version');
  assert.deepEqual(
    migrated,
    [1, 2, 3].map((version) => ({ version })),
  );
  for (const store of stores) await store.close();
  const connected = `select pid from pg_stat_activity where datname = '${new URL(url).pathname.slice(1)}' and pid <> pg_backend_pid()`;
  await untilSome(async () => ((await rows(url, connected)).length === 0 ? [1] : []));
});

test('a session that breaks ends nothing but itself', async () => {
  const url = await fresh();
  const database = new Database({ ...LOG, url });
  const session = database.session();
  await session.connect();
  const ended = new Promise((resolve) => session.once('end', resolve));
  const { rows: found } = await session.query<{ pid: number }>('select pg_backend_pid() as pid');
  await rows(url, `select pg_terminate_backend(${found[0]?.pid}, 5000)`);
  await ended;
  await database.close();
});

test('who stands still within a transaction loses it before others take over', async () => {
  const url = await fresh();
  const database = new Database({ ...LOG, url });
  const mine = `select 1 from pg_stat_activity where application_name = 'schoolbell' and datname = '${new URL(url).pathname.slice(1)}'`;
  await assert.rejects(
    database.transaction(async (query) => {
      await query({ name: '', text: 'create table locked (id integer)' });
      await untilSome(async () => ((await rows(url, mine)).length === 0 ? [1] : []));
      await query({ name: '', text: 'select 1' });
    }),
    (error: AppError) => error.code === 'unavailable',
  );
  await database.close();
});

test('a database of a newer version is refused', async () => {
  const url = await fresh();
  await (await openPostgresStore({ ...OPTIONS, url })).close();
  await rows(url, 'insert into schema_version (version) values (99)');
  await assert.rejects(openPostgresStore({ ...OPTIONS, url }), /written by a newer Schoolbell/);
});

test('a server that may lose what it acknowledged is refused with the reason, unless told otherwise', async () => {
  const url = await fresh();
  const name = new URL(url).pathname.slice(1);
  await rows(url, `alter database ${name} set synchronous_commit = off`);
  await assert.rejects(
    openPostgresStore({ ...OPTIONS, url }),
    /synchronous_commit=off: a crash could lose events/,
  );
  await (await openPostgresStore({ ...OPTIONS, url, allowUnsafe: true })).close();
});

test('a day that is over goes whole, but for what still waits and what ended after', async () => {
  const url = await fresh();
  const store = await joined(url);
  const now = Date.now();
  const database = new Database({ ...LOG, url });
  await createPartitions(database, now - 10 * DAY_MS);
  const old = Array.from({ length: 3 }, () => madeAt(now - 10 * DAY_MS));
  const [gone, later, waiting] = old as [NewEvent, NewEvent, NewEvent];
  await store.accept([{ events: old, idempotency: null }]);
  await store.settle([endedAt(gone, now - 9 * DAY_MS), endedAt(later, now)]);
  const parts = () =>
    rows(url, "select 1 from pg_class where relname ~ '^(events|attempts|ended_deliveries)_\\d'");
  const before = (await parts()).length;
  while ((await store.prune(now - 5 * DAY_MS, 100)) === 100);
  assert.ok((await parts()).length < before);
  assert.equal(await store.event('t', gone.id), undefined);
  assert.equal(await store.delivery('t', gone.deliveries[0]?.id ?? ''), undefined);
  const kept = await store.delivery('t', later.deliveries[0]?.id ?? '');
  assert.deepEqual([kept?.row.state, kept?.attempts.length], ['delivered', 1]);
  const left = await store.delivery('t', waiting.deliveries[0]?.id ?? '');
  assert.equal(left?.row.state, 'pending');
  while ((await store.prune(now + DAY_MS, 100)) === 100);
  assert.equal(await store.delivery('t', later.deliveries[0]?.id ?? ''), undefined);
  assert.notEqual(await store.event('t', waiting.id), undefined);
  await database.close();
  await store.close();
});

test('the event of a day that is over stays as long as a delivery that repeated it', async () => {
  const url = await fresh();
  const store = await joined(url);
  const now = Date.now();
  const database = new Database({ ...LOG, url });
  await createPartitions(database, now - 10 * DAY_MS);
  const old = madeAt(now - 10 * DAY_MS);
  await store.accept([{ events: [old], idempotency: null }]);
  await store.settle([endedAt(old, now - 9 * DAY_MS)]);
  const job = jobOf(now);
  assert.equal(await store.insertJob(job, 1), true);
  const repeat = { id: idOf(now), eventId: old.id, replayOf: old.deliveries[0]?.id ?? '' };
  const deliveries = [{ ...repeat, picks: null, orderKeys: null }];
  const step = { tenant: 't', id: job.id, registrationId: 'r', cursor: null, next: null };
  assert.equal(await store.stepJob({ ...step, deliveries, now }), true);
  const {
    deliveries: [like],
  } = madeAt(now);
  assert.ok(like);
  await store.settle([endedAt({ ...old, deliveries: [{ ...like, id: repeat.id }] }, now)]);
  while ((await store.prune(now - 5 * DAY_MS, 100)) === 100);
  assert.equal(await store.delivery('t', repeat.replayOf), undefined);
  const kept = await store.delivery('t', repeat.id);
  assert.deepEqual([kept?.row.state, kept?.row.actions], ['delivered', ['A']]);
  assert.notEqual(await store.event('t', old.id), undefined);
  await database.close();
  await store.close();
});

test('events that two nodes accepted in one millisecond are all found, page by page', async () => {
  const store = await joined(await fresh());
  const start = Date.now();
  const wanted: string[] = [];
  for (let n = 0; n < 30; n += 1) {
    // The ids of two nodes, of which the younger event has the older delivery.
    const at = idAt(start + Math.floor(n / 2) * 10);
    const [counter, delivery] = n % 2 === 0 ? ['7000', '7003'] : ['7001', '7002'];
    const made = madeAt(start);
    const id = `${at}${counter}${made.id.slice(16)}`;
    const deliveries = made.deliveries.map((each) => {
      return { ...each, id: `${at}${delivery}${each.id.slice(16)}` };
    });
    wanted.unshift(id);
    await store.accept([{ events: [{ ...made, id, deliveries }], idempotency: null }]);
  }
  for (const limit of [1, 2, 3]) {
    const found: string[] = [];
    for (let below: { before?: string } = {}; ;) {
      const query = { tenant: 't', registrationId: 'r', limit, ...below };
      const page = await store.events(query);
      found.push(...page.map(({ id }) => id));
      const last = page.at(-1);
      if (last === undefined) break;
      below = { before: last.id };
    }
    assert.deepEqual(found, wanted);
  }
  await store.close();
});

test('what a node had in hand that is gone is found by the next look, and can be claimed', async () => {
  const url = await fresh();
  const store = await joined(url);
  const made = madeAt(Date.now());
  await store.accept([{ events: [made], idempotency: null }]);
  const lane = { tenant: 't', registrationId: 'r', room: 10 };
  assert.deepEqual((await store.claim([lane], Date.now()))[0]?.deliveries, []);
  await rows(
    url,
    'update deliveries_in_hand set leased = 4294967297 + (select max(epoch) from nodes) * 4294967296',
  );
  const { pending } = await store.waiting(ALL_SHARDS);
  assert.deepEqual(
    pending.map(({ registrationId }) => registrationId),
    ['r'],
  );
  const [claim] = await store.claim([lane], Date.now());
  assert.deepEqual(
    claim?.deliveries.map(({ id }) => id),
    [made.deliveries[0]?.id],
  );
  await store.close();
});

test('what a batch leased whose answer was lost is claimed again', async () => {
  const url = await fresh();
  const store = await joined(url);
  const lane = { tenant: 't', registrationId: 'r', room: 10 };
  await rows(
    url,
    `create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(8); return new; end';
     create trigger slow after insert on deliveries_in_hand execute function slow()`,
  );
  const lost = store.accept([{ events: [madeAt(Date.now())], idempotency: null }]);
  const sql =
    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%insert into idempotency%' and state = 'active' and pid <> pg_backend_pid()";
  await assert.rejects(
    Promise.all([lost, untilSome(() => rows(url, sql))]),
    (error: AppError) => error.code === 'unavailable' && error.detail.retryAfterSeconds === 5,
  );
  await rows(url, 'drop trigger slow on deliveries_in_hand');
  const made = madeAt(Date.now());
  await store.accept([{ events: [made], idempotency: null }]);
  // As if the commit of the batch had come through and only its answer had been lost.
  await rows(
    url,
    'update deliveries_in_hand set leased = 1 + (select max(epoch) from nodes) * 4294967296',
  );
  const [claim] = await store.claim([lane], Date.now());
  assert.deepEqual(
    claim?.deliveries.map(({ id }) => id),
    [made.deliveries[0]?.id],
  );
  await store.close();
});

async function untilSome(ask: () => Promise<readonly unknown[]>): Promise<void> {
  while ((await ask()).length === 0) await new Promise((resolve) => setImmediate(resolve));
}

test('text that no column can hold is unknown, and an idempotency key may be any text', async () => {
  const url = await fresh();
  const store = await joined(url);
  assert.equal(await store.delivery('t', '\u0000'), undefined);
  assert.equal(await store.deleteKey('t', '\u0000'), false);
  assert.deepEqual(await store.deliveries({ tenant: 't', eventId: '\u0000', limit: 1 }), []);
  const publication = (hash: string) => ({
    events: [],
    idempotency: { tenant: 't', key: '\u0000\ud800', hash, answer: 'first', at: 1 },
  });
  await store.accept([publication('h')]);
  assert.deepEqual(await store.accept([publication('h'), publication('i')]), [
    { kind: 'repeated', answer: 'first' },
    { kind: 'conflict' },
  ]);
  await store.close();
});

test('a database that is away is unavailable, with the time to come back', async () => {
  const url = await fresh();
  const store = await joined(url);
  const name = new URL(url).pathname.slice(1);
  const admin = url.replace(name, 'postgres');
  await rows(admin, `alter database ${name} with allow_connections false`);
  await rows(
    admin,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`,
  );
  const isAway = (error: AppError) => error.status === 503 && error.detail.retryAfterSeconds === 5;
  await assert.rejects(store.check(), isAway);
  await assert.rejects(store.accept([]), isAway);
  await rows(admin, `alter database ${name} with allow_connections true`);
  await store.check();
  await store.close();
});

/** Resolves when a node was told what this waits for. */
function told(): {
  readonly gained: Set<number>;
  events: Partial<NodeEvents>;
  lost: Promise<void>;
} {
  const gained = new Set<number>();
  let lose = (): void => undefined;
  const lost = new Promise<void>((resolve) => (lose = resolve));
  const events: Partial<NodeEvents> = {
    gained: (shards) => {
      for (const shard of shards) gained.add(shard);
      return Promise.resolve();
    },
    leaving: (shards) => {
      for (const shard of shards) gained.delete(shard);
      return Promise.resolve();
    },
    lost: () => {
      gained.clear();
      lose();
      return Promise.resolve();
    },
  };
  return { gained, events, lost };
}

test('shards are shared out, each to one node, and those of a node that leaves go to the others', async () => {
  const url = await fresh();
  const [a, b, c] = [told(), told(), told()];
  const one = await joined(url, a.events);
  assert.equal(a.gained.size, 64);
  const two = await joined(url, b.events);
  const three = await joined(url, c.events);
  const sizes = () =>
    Promise.resolve([a, b, c].map(({ gained }) => gained.size).toSorted((x, y) => x - y));
  await untilSome(async () => ((await sizes()).join() === '21,21,22' ? [1] : []));
  assert.equal(new Set([...a.gained, ...b.gained, ...c.gained]).size, 64);
  await two.close();
  await untilSome(() => Promise.resolve(a.gained.size + c.gained.size === 64 ? [1] : []));
  assert.deepEqual(
    (await one.nodes()).map(({ shards }) => shards),
    [32, 32],
  );
  await one.close();
  await three.close();
});

test('nodes that accept for one registration at once number its deliveries without gaps', async () => {
  const url = await fresh();
  const stores = [await joined(url), await joined(url), await joined(url)];
  const batches = stores.flatMap((store) =>
    Array.from({ length: 5 }, () =>
      store.accept([{ events: [madeAt(Date.now()), madeAt(Date.now())], idempotency: null }]),
    ),
  );
  const numbers = (await Promise.all(batches))
    .flat()
    .flatMap((each) => (each.kind === 'accepted' ? each.numbers : []));
  assert.deepEqual(
    numbers.toSorted((x, y) => x - y),
    Array.from({ length: 30 }, (_, n) => n + 1),
  );
  await Promise.all(stores.map((store) => store.close()));
});

test('a node that was given up changes nothing of what others have taken over', async () => {
  const url = await fresh();
  const zombie = told();
  const old = await joined(url, zombie.events);
  const made = madeAt(Date.now());
  await old.accept([{ events: [made], idempotency: null }]);
  const lane = { tenant: 't', registrationId: 'r', room: 10 };
  // It is paused: its lease runs out by the clock of the database, and another one takes over.
  await rows(url, "update nodes set expires_at = now() - interval '1 second'");
  await rows(url, 'delete from nodes');
  const settled = old.settle([endedAt(made, Date.now())]);
  const accepted = old.accept([{ events: [madeAt(Date.now())], idempotency: null }]);
  const claimed = old.claim([lane], Date.now());
  assert.deepEqual(await settled, [false]);
  assert.deepEqual(await accepted, [{ kind: 'accepted', numbers: [2], unleased: true }]);
  assert.deepEqual(await claimed, [{ deliveries: [], nextDueAt: null }]);
  const found = await old.delivery('t', made.deliveries[0]?.id ?? '');
  assert.deepEqual([found?.row.state, found?.attempts], ['pending', []]);
  await zombie.lost;
  await untilSome(() => Promise.resolve(zombie.gained.size === 64 ? [1] : []));
  await old.close();
});

test('a silent node is given up, and what it had leased is claimed by another', async () => {
  const url = await fresh();
  const silent = await openPostgresStore({ ...OPTIONS, url });
  await rows(
    url,
    "insert into nodes (name, version, expires_at) values ('killed', '0', now() - interval '1 second')",
  );
  await rows(url, 'update shards set epoch = (select max(epoch) from nodes)');
  const next = told();
  const store = await joined(url, next.events);
  await untilSome(() => Promise.resolve(next.gained.size === 64 ? [1] : []));
  assert.deepEqual(
    (await store.nodes()).map(({ name }) => name),
    ['test'],
  );
  await silent.close();
  await store.close();
});

test('what was matched with an older configuration is stale, and nothing of it is written', async () => {
  const url = await fresh();
  const [one, other] = [await joined(url), await joined(url)];
  const { version } = await one.changes(null);
  const nothing = { schema: null, example: null, subjects: [], private: [] };
  await other.putFilter({ name: 'F', description: '', ...nothing });
  const idempotency = { tenant: 't', key: 'k', hash: 'h', answer: 'a', at: 1 };
  const publication = { events: [madeAt(Date.now())], idempotency };
  assert.deepEqual(await one.accept([publication, publication], version), [
    { kind: 'stale' },
    { kind: 'stale' },
  ]);
  assert.deepEqual(await one.events({ tenant: 't', limit: 1 }), []);
  const learnt = await one.changes(version);
  assert.deepEqual(
    learnt.changes.map(({ kind, id }) => [kind, id]),
    [['filter', 'f']],
  );
  const [accepted] = await one.accept([publication], learnt.version);
  assert.equal(accepted?.kind, 'accepted');
  await one.close();
  await other.close();
});
