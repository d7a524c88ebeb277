import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { attemptOf } from '../core/testing/attempt.ts';
import { testRegistration } from '../core/testing/registration.ts';
import { testDatabase, type TestDatabase } from '../../../../tools/postgres/test-database.ts';
import { auditEntry, SERVICE } from '../core/audit.ts';
import { idTime, newId } from '../core/id.ts';
import type { Job } from '../core/job.ts';
import type { Outcome } from '../core/outcome.ts';
import { emptyCounts } from '../core/statistics.ts';
import { ALL_SHARDS } from '../core/shard.ts';
import {
  IMPORT_NOTE,
  MOVED,
  MOVED_KINDS,
  type MovedPage,
  type MovedRow,
  type Moving,
} from './moving.ts';
import type { NewDelivery, NewEvent, NextState, Settlement, Store } from './port.ts';
import { LEFT_BEHIND as LEFT_BEHIND_POSTGRES, openPostgresMoving } from './postgres/moving.ts';
import { openPostgresStore } from './postgres/store.ts';
import { LEFT_BEHIND as LEFT_BEHIND_SQLITE, openSqliteMoving } from './sqlite/moving.ts';
import { openSqliteStore } from './sqlite/store.ts';

const DAY_MS = 86_400_000;
/** Some days back: where PostgreSQL has no partitions yet. */
const NOW = Date.now() - 5 * DAY_MS;
const LATER = NOW + DAY_MS;
const TENANTS = ['default', 'north', 'south'];

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-moving-'));
let database: TestDatabase;
let other: TestDatabase;
before(async () => {
  [database, other] = [await testDatabase(), await testDatabase()];
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await Promise.all([database.drop(), other.drop()]);
});

const postgres = (url: string) => ({
  url,
  listenUrl: null,
  poolSize: 4,
  statementTimeoutMs: 10_000,
  pooled: false,
  allowUnsafe: false,
});

const OK: Outcome = {
  kind: 'response',
  status: 200,
  response: { headers: [['x', 'ø😀']], body: 'ok\n\u2028', truncated: false },
};
const BROKEN: Outcome = { kind: 'connect_error', code: 'ECONNREFUSED' };

/** What happens to the deliveries of an event, in turn. */
const ENDS: readonly (NextState | null)[] = [
  null,
  { state: 'delivered', reason: null },
  { state: 'pending', dueAt: LATER, step: 3 },
  { state: 'exhausted', reason: 'used up' },
  { state: 'held', reason: 'paused' },
];

function made(n: number): NewEvent {
  const tenant = TENANTS[n % TENANTS.length] ?? '';
  const time = NOW + n * 400_000;
  const ordered = n % 4 === 0;
  const delivery = (registrationId: string, rest: Partial<NewDelivery> = {}): NewDelivery => ({
    id: newId(time),
    registrationId,
    state: 'pending',
    leased: !ordered,
    picks: null,
    orderKeys: ordered ? [`learner ${n % 8}`, 'course "1"\u0000'] : null,
    ...rest,
  });
  const id = newId(time);
  return {
    id,
    tenant,
    acceptedAt: time,
    occurredAt: n % 2 === 0 ? null : time - 1,
    payload: `{ "Action":"A", "n": 1.0e${n}, "s":"\\u0000\\ud800 ø 😀" }\u001e{"Action":"B"}`,
    actions: ['A', 'B'],
    ...(n % 7 === 0 ? { trace: `00-${id}-00f067aa0ba902b7-01` } : {}),
    deliveries: [
      delivery('r1', { picks: [0] }),
      delivery('r2', { leased: false, state: ordered ? 'held' : 'pending' }),
    ],
  };
}

function settled(event: NewEvent, next: NextState, n: number): Settlement {
  const [delivery] = event.deliveries;
  const outcome = next.state === 'delivered' ? OK : BROKEN;
  const deliveryId = delivery?.id ?? '';
  const when = { startedAt: event.acceptedAt + 5, durationMs: n };
  const requestHeaders = [['a', 'b']] as const;
  return {
    tenant: event.tenant,
    deliveryId,
    next,
    ordered: delivery?.orderKeys !== null,
    attempt: attemptOf({ deliveryId, ...when, outcome, requestHeaders }),
  };
}

const JOB: Job = {
  id: newId(NOW),
  tenant: 'default',
  registrationId: 'r1',
  kind: 'replay',
  state: 'paused',
  reason: null,
  selection: {
    from: NOW,
    to: null,
    states: null,
    filters: ['A'],
    subject: 'learner 4',
    deliveries: null,
  },
  rate: 50,
  createdAt: NOW,
  endedAt: null,
  total: { count: 3, isExact: true },
  done: 0,
  cursor: null,
};

/** A job that made one delivery and rests. */
async function replay(store: Store, { tenant, id: eventId, deliveries }: NewEvent): Promise<void> {
  const { id, registrationId } = JOB;
  await store.insertJob({ ...JOB, tenant, state: 'running' }, 10);
  const replayOf = deliveries[0]?.id ?? '';
  const made = { id: newId(LATER), eventId, replayOf, picks: [0], orderKeys: ['learner 0'] };
  const step = { tenant, id, registrationId, cursor: null, next: replayOf, now: LATER };
  assert.ok(await store.stepJob({ ...step, deliveries: [made] }));
  await store.moveJob({ tenant, id, from: ['running'], to: 'paused', reason: null, now: LATER });
}

/** One learner is erased, another waits for a delivery. */
async function forget(store: Store): Promise<void> {
  while ((await store.index({ a: [{ kind: 'learner', path: 'n' }] }, 500)) > 0);
  const how = { receipt: newId(NOW), pending: 'send', now: LATER, limit: 10 } as const;
  const gone = await store.erase({ ...how, tenant: 'north', learner: 'learner 10' });
  assert.equal(gone.events[0]?.notifications, 1);
  const later = await store.erase({ ...how, tenant: 'south', learner: 'learner 100000' });
  assert.equal(later.events[0]?.waiting.length, 2);
}

/** Something of everything. */
async function fill(store: Store): Promise<void> {
  for (const id of TENANTS) {
    const note = auditEntry(NOW, SERVICE, {
      tenant: id,
      what: 'tenant made',
      target: id,
      before: null,
      after: {},
    });
    await store.insertTenant(
      { id, name: `Skole "${id}" ø\u0001`, createdAt: NOW, maxPending: id === 'south' ? 7 : null },
      note,
    );
    const key = { id: newId(NOW), tenant: id, level: 'Publish', name: 'k', hash: 'h' } as const;
    await store.insertKey({ ...key, createdAt: NOW, expiresAt: id === 'north' ? LATER : null });
    for (const registration of ['r1', 'r2'])
      await store.insertRegistration(registered(id, registration));
  }
  await store.note(
    auditEntry(NOW, SERVICE, { tenant: null, what: 'w', target: 't', before: null, after: null }),
  );
  await store.putFilter({
    name: 'MyFilter',
    description: 'd',
    schema: null,
    example: { 2: 'b', 1: 'a' },
    subjects: [],
    private: ['Learner.Email'],
    retentionMs: DAY_MS,
  });
  const streak = { failures: 12, since: NOW, told: 50, wasOff: true } as const;
  await store.putStreaks([
    { tenant: 'north', id: 'r1', streak },
    { tenant: 'south', id: 'r2', streak: { ...streak, wasOff: false } },
  ]);
  const sum = { tenant: 'north', registrationId: 'r1', action: '', start: NOW, stepMs: 60_000 };
  await store.addStatistics([{ ...sum, counts: { ...emptyCounts(), published: 3 } }]);
  await store.putSetting('encryption check', 'v1.x');
  for (let n = 0; n < 400; n += 1) {
    const event = made(n);
    const { tenant } = event;
    const idempotency =
      n % 3 === 0 ? { tenant, key: `k"${n}\u0000`, hash: 'h', answer: '[]', at: NOW + n } : null;
    await store.accept([{ events: [event], idempotency }]);
    const next = ENDS[n % ENDS.length];
    if (next) await store.settle([settled(event, next, n)]);
    if (n % 50 === 1) await store.cancel(tenant, event.deliveries[1]?.id ?? '', LATER);
    if (n === 390) await replay(store, event);
  }
  await forget(store);
}

function registered(tenant: string, id: string) {
  const sealed = { webHookUri: 'v1.sealed', secret: 'v1.sealed', properties: '{"b":1,"1":2}' };
  return testRegistration({ id, tenant, ...sealed, createdAt: NOW, updatedAt: NOW });
}

/** Idempotency keys in any order: the stores write them differently. */
async function rowsOf(moving: Moving): Promise<Record<string, MovedRow[]>> {
  const found: Record<string, MovedRow[]> = {};
  await moving.dump(async ({ kind, rows }) => {
    (found[kind] ??= []).push(...rows);
  });
  found['idempotency']?.sort((a, b) => String(a).localeCompare(String(b)));
  return found;
}

async function move(from: Moving, to: Moving): Promise<void> {
  const { lastPlace } = await from.summary();
  await to.keepPlaces(lastPlace);
  let note: string | null = null;
  await from.dump(async (page) => {
    const next = `${note ?? ''}.`;
    await to.load(page, { from: note, to: next });
    note = next;
  });
  await to.finish({ from: note, to: 'done' });
}

/** Everything that the API could tell, of all tenants. */
async function toldBy(store: Store): Promise<unknown> {
  while ((await store.index({}, 100)) > 0);
  await store.recover(ALL_SHARDS);
  const told: Record<string, unknown> = {
    tenants: await store.tenants(),
    keys: await store.keys(),
    filters: await store.filters(),
    registrations: await store.registrations(),
    job: await store.job(JOB.tenant, JOB.id),
    streaks: await store.streaks(ALL_SHARDS),
    audit: await store.audit({ limit: 1000 }),
  };
  for (const tenant of TENANTS) {
    const deliveries = await store.deliveries({ tenant, limit: 1000 });
    const read = deliveries.map(({ id }) => store.delivery(tenant, id));
    told[tenant] = {
      events: await store.events({ tenant, action: 'b', limit: 1000 }),
      refused: await store.deliveries({ tenant, text: 'refused', limit: 1000 }),
      feed: await store.feed({ tenant, registrationId: 'r1', after: 0, limit: 1000 }),
      last: await store.lastSequence(tenant, 'r2'),
      statistics: await store.statistics({
        tenant,
        registrationId: 'r1',
        action: '',
        from: 0,
        to: LATER,
      }),
      exhausted: await store.deliveries({ tenant, state: 'exhausted', limit: 1000 }),
      deliveries: await Promise.all(read),
    };
  }
  return told;
}

/** Of each tenant and registration, in which order its deliveries can be claimed. */
async function claimedFrom(store: Store): Promise<unknown> {
  const lanes = TENANTS.flatMap((tenant) =>
    ['r1', 'r2'].map((registrationId) => ({ tenant, registrationId, room: 1000 })),
  );
  const claims = await store.claim(lanes, LATER + 400 * 400_000);
  return claims.map(({ deliveries }) => deliveries.map(({ id }) => id));
}

test('what moves from SQLite to PostgreSQL and back is the same, row by row and as it is told', async () => {
  const [first, last] = [join(folder, 'first.db'), join(folder, 'last.db')];
  const original = await openSqliteStore({ path: first });
  await fill(original);
  await original.close();

  const from = openSqliteMoving(first);
  const rows = await rowsOf(from);
  for (const kind of MOVED_KINDS) assert.ok((rows[kind] ?? []).length > 0, kind);
  const states = new Set(rows['deliveries']?.map((row) => row[MOVED.deliveries.indexOf('state')]));
  assert.equal(states.size, 5);
  const there = await openPostgresMoving(postgres(database.url));
  await move(from, there);
  assert.deepEqual(await rowsOf(there), rows);
  const counted = { ...(await from.summary()).rows, settings: 2 };
  assert.deepEqual((await there.summary()).rows, counted, 'the note is one setting more');
  const back = openSqliteMoving(last);
  await move(there, back);
  assert.deepEqual(await rowsOf(back), rows);
  await Promise.all([from.close(), there.close(), back.close()]);

  const stores = [
    await openSqliteStore({ path: first }),
    await openPostgresStore(postgres(database.url)),
    await openSqliteStore({ path: last }),
  ];
  await stores[1]?.join({ name: 'test', version: '0' }, SILENT);
  const [told, ...others] = await Promise.all(stores.map(toldBy));
  for (const each of others) assert.deepEqual(each, told);
  const [claimed, ...claimedElsewhere] = await Promise.all(stores.map(claimedFrom));
  for (const each of claimedElsewhere) assert.deepEqual(each, claimed);
  for (const store of stores) await store.close();
});

const SILENT = {
  gained: () => Promise.resolve(),
  leaving: () => Promise.resolve(),
  lost: () => Promise.resolve(),
  woken: () => undefined,
  arrived: () => undefined,
  dropped: () => undefined,
  look: () => undefined,
  changed: () => undefined,
};

test('what is accepted after a move comes behind what was moved, in its order', async () => {
  const path = join(folder, 'places.db');
  const from = await openPostgresMoving(postgres(database.url));
  const to = openSqliteMoving(path);
  await to.keepPlaces((await from.summary()).lastPlace + 1000);
  await from.dump(async (page) => {
    const note = await to.setting(IMPORT_NOTE);
    await to.load(page, { from: note ?? null, to: `${note ?? ''}.` });
  });
  await to.finish({ from: (await to.setting(IMPORT_NOTE)) ?? null, to: 'done' });
  await Promise.all([from.close(), to.close()]);
  const store = await openSqliteStore({ path });
  const event = { ...made(0), id: newId(Date.now()) };
  await store.accept([{ events: [event], idempotency: null }]);
  await store.close();
  const read = new DatabaseSync(path, { readOnly: true });
  const places = read.prepare('select order_seq as place from deliveries where event_id = ?');
  const rest = read.prepare('select max(order_seq) as place from deliveries where event_id <> ?');
  const own = Number(places.get(event.id)?.['place']);
  assert.ok(own > Number(rest.get(event.id)?.['place']), `${own}`);
  read.close();
});

test('days that are moved to PostgreSQL have their partitions', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ id: string }>('select id from events_other');
  const found = await client.query<{ id: string }>('select min(id) as id from events');
  await client.end();
  assert.deepEqual(rows, []);
  assert.ok(idTime(found.rows[0]?.id ?? '') < Date.now() - 4 * DAY_MS);
});

test('a page is written with its note or not at all, and by one import only', async () => {
  const page: MovedPage = { kind: 'settings', rows: [['one', '1']] };
  const wrong: MovedPage = { kind: 'events', rows: [['t', 'e', null, null, '[]', '{}', null]] };
  const both = [
    openSqliteMoving(join(folder, 'pages.db')),
    await openPostgresMoving(postgres(other.url)),
  ];
  for (const moving of both) {
    await moving.load(page, { from: null, to: 'a' });
    await assert.rejects(moving.load(page, { from: null, to: 'b' }), /Another import writes/);
    await assert.rejects(moving.load(page, { from: 'x', to: 'b' }), /Another import writes/);
    await assert.rejects(moving.load(wrong, { from: 'a', to: 'b' }));
    assert.equal(await moving.setting(IMPORT_NOTE), 'a');
    assert.equal((await moving.summary()).rows.events, 0);
    await moving.load(page, { from: 'a', to: 'b' });
    assert.equal(await moving.setting(IMPORT_NOTE), 'b');
    await moving.close();
  }
});

test('a node that runs on PostgreSQL is named, and nothing is written beside it', async () => {
  const store = await openPostgresStore(postgres(other.url));
  const moving = await openPostgresMoving(postgres(other.url));
  const { joins } = await moving.users();
  await store.join({ name: 'node-7', version: '0' }, SILENT);
  const users = await moving.users();
  assert.deepEqual(users.running, ['node-7']);
  assert.notEqual(users.joins, joins);
  const note = (await moving.setting(IMPORT_NOTE)) ?? null;
  const page: MovedPage = { kind: 'settings', rows: [['two', '2']] };
  await assert.rejects(moving.load(page, { from: note, to: 'c' }), /a server was started on it/);
  await store.close();
  assert.deepEqual((await moving.users()).running, []);
  await moving.load(page, { from: note, to: 'c' });
  await moving.close();
});

/** What is neither moved nor knowingly left behind, of columns named `table.column`. */
function forgotten(columns: readonly string[], left: Readonly<Record<string, string>>): string[] {
  const moved = MOVED_KINDS.flatMap((kind) => MOVED[kind].map((column) => `${kind}.${column}`));
  return columns.filter(
    (column) =>
      !moved.includes(column) &&
      !(column in left) &&
      !Object.hasOwn(left, column.split('.')[0] ?? ''),
  );
}

test('every table and column of the embedded store is moved or knowingly left behind', () => {
  const read = new DatabaseSync(join(folder, 'first.db'), { readOnly: true });
  const columns = read
    .prepare(
      `select t.name || '.' || c.name as name from sqlite_master t, pragma_table_info(t.name) c where t.type = 'table'`,
    )
    .all()
    .map((row) => String(row['name']));
  read.close();
  assert.ok(columns.length > 60, String(columns.length));
  assert.deepEqual(forgotten(columns, LEFT_BEHIND_SQLITE), []);
});

test('every table and column on PostgreSQL is moved or knowingly left behind', async () => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(`
    select c.relname || '.' || a.attname as name
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace
       and c.relkind in ('r', 'p')
       and not c.relispartition`);
  await client.end();
  assert.ok(rows.length > 60, String(rows.length));
  assert.deepEqual(
    forgotten(
      rows.map(({ name }) => name),
      LEFT_BEHIND_POSTGRES,
    ),
    [],
  );
});
