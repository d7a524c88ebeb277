import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Clock, systemClock } from '../core/clock.ts';
import { createSealer } from '../core/seal.ts';
import { parseAllow } from '../egress/allow.ts';
import { openEgress } from '../egress/testing/open-egress.ts';
import { closeServers, onRequest, plain, rawServer } from '../egress/testing/raw-server.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { createFilters } from './filters.ts';
import type { RegistrationDraft } from './library.ts';
import { createRegistrations } from './registrations.ts';

const SEALER = createSealer([Buffer.alloc(32, 7)]);
const OPTIONS = { verifyEcho: true, filtersUri: 'http://host/webhooks/filters' };
const TENANT = 'school';

const folder = mkdtempSync(join(tmpdir(), 'schoolbell-registrations-'));
const egress = openEgress();
const stores: Store[] = [];

after(async () => {
  await Promise.all([egress.close(), closeServers(), ...stores.map((store) => store.close())]);
  rmSync(folder, { recursive: true, force: true });
});

function draft(changes: Partial<RegistrationDraft> = {}): RegistrationDraft {
  return {
    id: null,
    webHookUri: 'http://127.0.0.1:2/hook?noecho',
    secret: null,
    description: null,
    isPaused: false,
    filters: [],
    headers: [],
    properties: '{}',
    conditions: null,
    ordering: null,
    ...changes,
  };
}

const OWN_PORT = 8365;

/** Registrations on a store of their own; `matched` is what the engine would match now. */
async function open(onUpdate: () => void = () => undefined, clock: Clock = systemClock) {
  const store = await openSqliteStore({ path: join(folder, `${stores.length}.db`) });
  stores.push(store);
  const update = store.updateRegistration.bind(store);
  store.updateRegistration = (registration, note) => {
    onUpdate();
    return update(registration, note);
  };
  const tenants = new Set([TENANT]);
  const matched = new Map<string, string>();
  const told: string[] = [];
  const registrations = await createRegistrations({
    store,
    filters: await createFilters({ store, clock: systemClock, retentionMs: 86_400_000 }),
    egress,
    allow: parseAllow(['127.0.0.0/8'], false),
    isOwn: (_address, port) => port === OWN_PORT,
    sealer: SEALER,
    clock,
    registrars: [],
    idValidator: (asked) => asked,
    hasTenant: (tenant) => tenants.has(tenant),
    onChange: ({ kind, registration }) => {
      told.push(kind);
      if (kind === 'removed') matched.delete(registration.id);
      else matched.set(registration.id, registration.secret);
    },
    onRemoved: () => undefined,
    sendTest: () => Promise.reject(new Error('not tested here')),
  });
  return { registrations, store, tenants, matched, told };
}

test('a URI that points at this very server by its address is refused, also where the network is allowed', async () => {
  const { registrations } = await open();
  const asked = draft({ webHookUri: `http://127.0.0.1:${OWN_PORT}/webhooks/events?noecho` });
  await assert.rejects(registrations.register(TENANT, asked, OPTIONS), {
    message: 'The WebHook URI points at this very service.',
  });
});

test('a PUT that is being written when a DELETE comes brings nothing back', async () => {
  const writing = Promise.withResolvers<void>();
  const { registrations, store, matched } = await open(writing.resolve);
  const { id } = await registrations.register(TENANT, draft(), OPTIONS);
  const put = registrations.replace(TENANT, id, draft({ id, description: 'new' }), OPTIONS);
  await writing.promise;
  assert.equal(await registrations.remove(TENANT, id), true);
  await put;
  assert.deepEqual([registrations.list(TENANT), [...matched]], [[], []]);
  assert.deepEqual(await store.registrations(), []);
});

test('an old secret is removed from memory and store once it signs nothing any more', async () => {
  let now = Date.now();
  const { registrations, store } = await open(undefined, { now: () => now });
  const { id } = await registrations.register(TENANT, draft(), OPTIONS);
  const request = { secret: null, overlapMs: 1000, switchAt: null };
  await registrations.changeSecret(TENANT, id, request);
  const kept = async () => [
    registrations.get(TENANT, id)?.oldSecrets.length,
    (await store.registrations())[0]?.oldSecrets.length,
  ];
  await registrations.forgetOldSecrets();
  assert.deepEqual(await kept(), [1, 1]);
  now += 1000;
  await registrations.forgetOldSecrets();
  assert.deepEqual(await kept(), [0, 0]);
  assert.equal(await registrations.changeSecret(TENANT, 'nope', request), undefined);
});

test('changes that overlap leave memory, store and matching alike', async () => {
  const { registrations, store, matched } = await open();
  const asked: Promise<unknown>[] = [];
  for (let n = 0; n < 60; n += 1) {
    const id = `id${n % 3}`;
    const call = [
      () => registrations.register(TENANT, draft({ id }), OPTIONS),
      () => registrations.replace(TENANT, id, draft({ id }), OPTIONS),
      () => registrations.switchOff(TENANT, id, 'gone'),
      () => registrations.remove(TENANT, id),
    ][n % 4];
    // Some are refused, for an id that is taken or gone.
    asked.push(call?.().catch(() => undefined) ?? Promise.resolve());
    if (n % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(asked);
  const known = registrations.list(TENANT).map((each) => [each.id, each.secret] as const);
  assert.deepEqual(matched, new Map(known));
  const again = await createRegistrationsAgain(store);
  assert.deepEqual(
    again.list(TENANT).toSorted(byId),
    registrations.list(TENANT).toSorted(byId),
    'what a restart reads',
  );
});

test('of two that ask for one id, one gets it', async () => {
  const { registrations } = await open();
  const both = await Promise.allSettled([
    registrations.register(TENANT, draft({ id: 'mine' }), OPTIONS),
    registrations.register(TENANT, draft({ id: 'MINE' }), OPTIONS),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.equal(registrations.list(TENANT).length, 1);
});

test('nothing is registered for a tenant that is removed while the echo is waited for', async () => {
  const { registrations, store, tenants, matched } = await open();
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const webHookUri = await echoServer(asked.resolve, goOn.promise);
  const registering = registrations.register(TENANT, draft({ webHookUri }), OPTIONS);
  await asked.promise;
  tenants.delete(TENANT);
  await registrations.removeAll(TENANT);
  goOn.resolve();
  await assert.rejects(registering, /There is no tenant 'school'/);
  assert.deepEqual(
    [registrations.list(TENANT), [...matched], await store.registrations()],
    [[], [], []],
  );
});

test('a PUT without a secret keeps the one that was set while its echo was waited for', async () => {
  const { registrations } = await open();
  const { id } = await registrations.register(TENANT, draft(), OPTIONS);
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const webHookUri = await echoServer(asked.resolve, goOn.promise);
  const slow = registrations.replace(TENANT, id, draft({ id, webHookUri }), OPTIONS);
  await asked.promise;
  const secret = 'n'.repeat(32);
  await registrations.replace(TENANT, id, draft({ id, secret }), OPTIONS);
  goOn.resolve();
  await slow;
  const now = registrations.get(TENANT, id);
  assert.deepEqual([now?.secret, now?.webHookUri], [secret, webHookUri]);
});

test('matching stops before the store is asked, and goes on when the store fails', async () => {
  const { registrations, store, matched, told } = await open();
  const { id } = await registrations.register(TENANT, draft(), OPTIONS);
  await store.close();
  const removing = registrations.remove(TENANT, id);
  assert.deepEqual([...matched], []);
  await assert.rejects(removing);
  assert.deepEqual(told, ['added', 'removed', 'added']);
  assert.deepEqual([...matched.keys()], [id]);
  assert.equal(registrations.get(TENANT, id)?.id, id);
});

test('what the store refuses is neither known nor matched', async () => {
  const { registrations, store, matched } = await open();
  await store.close();
  await assert.rejects(registrations.register(TENANT, draft(), OPTIONS));
  assert.deepEqual([registrations.list(TENANT), [...matched]], [[], []]);
});

test('filters are judged before the secret, the secret before the URI, the URI before its echo', async () => {
  const { registrations } = await open();
  const bad = {
    filters: ['Nope'],
    secret: 'short',
    webHookUri: 'ftp://h/x',
  };
  const register = (changes: Partial<RegistrationDraft>) =>
    registrations.register(TENANT, draft(changes), OPTIONS);
  await assert.rejects(register(bad), /'Nope'\. A list .* 'http:\/\/host\/webhooks\/filters'\.$/);
  await assert.rejects(register({ ...bad, filters: [] }), /between 32 and 64 characters/);
  await assert.rejects(register({ ...bad, filters: [], secret: null }), /received 'ftp:\/\/h\/x'/);
  await assert.rejects(register({ webHookUri: 'http://127.0.0.1:2/hook' }), /verification failed/);
});

test('what is longer or more than a registration takes is refused with the limit', async () => {
  const { registrations } = await open();
  const many = (count: number) => Array.from({ length: count }, (_, n) => `x-${n}`);
  const properties = (count: number) =>
    JSON.stringify(Object.fromEntries(many(count).map((name) => [name, 1])));
  const taken: Partial<RegistrationDraft> = {
    description: 'd'.repeat(1024),
    headers: many(20).map((name) => [name, 'v']),
    properties: properties(20),
    secret: 's'.repeat(64),
  };
  const { id } = await registrations.register(TENANT, draft(taken), OPTIONS);
  assert.equal(registrations.get(TENANT, id)?.headers.length, 20);
  const refused: [Partial<RegistrationDraft>, RegExp][] = [
    [{ description: 'd'.repeat(1025) }, /Description takes at most 1024/],
    [{ headers: many(21).map((name) => [name, 'v']) }, /at most 20 headers/],
    [{ properties: properties(21) }, /at most 20 properties/],
    [{ properties: JSON.stringify({ x: 'p'.repeat(8192) }) }, /at most 8192 characters of JSON/],
    [{ filters: Array.from({ length: 101 }, () => 'UserCreated') }, /at most 100 filters/],
    [{ secret: 's'.repeat(65) }, /between 32 and 64/],
    [{ secret: `${'s'.repeat(31)}\u0000` }, /no control characters/],
    [{ webHookUri: `http://127.0.0.1/${'u'.repeat(2048)}?noecho` }, /2,?048/],
  ];
  for (const [changes, sentence] of refused) {
    await assert.rejects(registrations.register(TENANT, draft(changes), OPTIONS), sentence);
  }
});

/** A receiver that tells when the echo is asked for and answers it when it may; its URI. */
async function echoServer(onAsked: () => void, mayAnswer: Promise<void>): Promise<string> {
  const { port } = await rawServer((socket) =>
    onRequest(socket, (request) => {
      const token = /[?&]echo=(\w+)/.exec(request)?.[1] ?? '';
      onAsked();
      void mayAnswer.then(() => socket.write(plain(200, token)));
    }),
  );
  return `http://127.0.0.1:${port}/slow`;
}

async function createRegistrationsAgain(store: Store) {
  return createRegistrations({
    store,
    filters: await createFilters({ store, clock: systemClock, retentionMs: 86_400_000 }),
    egress,
    allow: parseAllow([], false),
    isOwn: () => false,
    sealer: SEALER,
    clock: systemClock,
    registrars: [],
    idValidator: () => null,
    hasTenant: () => true,
    onChange: () => undefined,
    onRemoved: () => undefined,
    sendTest: () => Promise.reject(new Error('not tested here')),
  });
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}
