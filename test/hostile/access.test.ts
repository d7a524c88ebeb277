import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { type Answer, caller, type Json, TestReceiver, TestServer } from '../e2e/harness.ts';
import {
  type Access,
  type Make,
  type Operation,
  operationsOf,
  pathOf,
  ROUTES,
} from './access-calls.ts';

const server = new TestServer();
const receiver = new TestReceiver();
const admin = caller(server, () => server.running.adminKey);
const TENANT = 'under-test';
const inTenant = caller(server, () => server.running.adminKey, TENANT);
let at = '';
let operations: Operation[] = [];
let make: Make;

before(async () => {
  await server.start();
  at = await receiver.listen();
  for (const Id of [TENANT, 'victim']) await admin('POST', '/admin/tenants', { Id });
  operations = operationsOf(await admin('GET', '/openapi.json'));
  make = makeIn(`${at}/own?noecho`);
});

after(async () => {
  await server.end();
  await receiver.close();
});

function makeIn(uri: string): Make {
  const made = async (path: string, body: object, call = inTenant): Promise<Json> => {
    const answer = await call('POST', path, body);
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  };
  const registration = async (rest: object = {}): Promise<string> =>
    (await made('/webhooks/registrations', { WebHookUri: uri, ...rest })).Id;
  const event = async (): Promise<string> => (await made('/webhooks/events', { Action: 'A' })).Id;
  /** Those before it end, so that there are never too many. */
  const replay = async (): Promise<string> => {
    const { json } = await inTenant('GET', '/webhooks/replays');
    for (const { Id } of json.Items) await inTenant('POST', `/webhooks/replays/${Id}/cancel`);
    const path = `/webhooks/registrations/${await registration({ IsPaused: true })}/replay`;
    return (await made(path, { From: '2020-01-01' })).Id;
  };
  let n = 0;
  return {
    registration: () => registration(),
    pausedRegistration: () => registration({ IsPaused: true }),
    event,
    delivery: async () => {
      const registrationId = await registration({ IsPaused: true });
      await event();
      const { json } = await inTenant(
        'GET',
        `/webhooks/deliveries?registrationId=${registrationId}`,
      );
      return json.Items[0].Id;
    },
    replay,
    pausedReplay: async () => {
      const id = await replay();
      await made(`/webhooks/replays/${id}/pause`, {});
      return id;
    },
    tenant: async () => (await made('/admin/tenants', { Id: `made-${(n += 1)}` })).Id,
    key: async () => (await made(`/admin/tenants/${TENANT}/keys`, { Level: 'Publish' })).Id,
    filter: async () => {
      const answer = await admin('PUT', '/admin/filters/Passing', { Description: 'd' });
      return answer.json.Name;
    },
    uri,
    ownTenant: TENANT,
  };
}

async function keyOf(tenant: string, Level: string, rest: object = {}): Promise<Json> {
  return (await admin('POST', `/admin/tenants/${tenant}/keys`, { Level, ...rest })).json;
}

/** What a tenant has, as far as a call could change it; deliveries go on by themselves. */
async function stateOf(tenant: string): Promise<string> {
  const call = caller(server, () => server.running.adminKey, tenant);
  const [registrations, audit, events, deliveries] = await Promise.all(
    ['registrations', 'audit', 'events', 'deliveries'].map((name) =>
      call('GET', `/webhooks/${name}`),
    ),
  );
  const ids = [events, deliveries].map((page) => page?.json.Items.map((each: Json) => each.Id));
  return JSON.stringify([registrations?.text, audit?.text, ids]);
}

test('every id of another tenant answers as an unknown one, on every route, and changes nothing', async () => {
  const stranger = caller(server, () => key);
  const { Key: key } = await keyOf(TENANT, 'Full control');
  const ids = await victimIds();
  const before = await stateOf('victim');
  const received = receiver.received.length;
  const rows: string[] = [];
  for (const operation of operations) {
    const parameters = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    if (parameters.length === 0 && !operation.query.some(isIdentifier)) continue;
    const statuses = new Set<number>();
    for (const [kind, id] of Object.entries(ids)) {
      const unknown = kind === 'tenant' ? 'nobody' : '0190000000007000800000000000ffff';
      const [foreign, none] = [
        await callWith(stranger, operation, { parameters, id, uri: 'victim' }),
        await callWith(stranger, operation, { parameters, id: unknown, uri: 'nobody' }),
      ];
      assert.deepEqual(
        [foreign.status, plainText(operation, foreign).replaceAll(id, '<id>')],
        [none.status, plainText(operation, none).replaceAll(unknown, '<id>')],
        `${operation.method} ${operation.path} with the ${kind} of another tenant`,
      );
      statuses.add(foreign.status);
    }
    rows.push(
      `${operation.method.padEnd(7)}${operation.path.padEnd(44)}${[...statuses].join(' ')}`,
    );
    const expected = expectedForForeign(operation, parameters);
    assert.deepEqual([...statuses], [expected], operation.operationId);
  }
  assert.equal(await stateOf('victim'), before);
  assert.equal(receiver.received.length, received);
  console.log(`\nroute × ${Object.keys(ids).join(', ')} of another tenant\n${rows.join('\n')}\n`);
});

test('a cursor made of another tenant’s id shows nothing but one’s own', async () => {
  const ids = Object.values(await victimIds());
  await make.delivery();
  for (const operation of operations.filter(({ query }) => query.includes('cursor'))) {
    if (ROUTES[operation.operationId]?.access === 'admin') continue;
    for (const id of [...ids, 'f'.repeat(32)]) {
      const cursor = Buffer.from(id).toString('base64url');
      const { status, text } = await inTenant('GET', `${operation.path}?cursor=${cursor}`);
      assert.equal(status, id === 'victim' ? 400 : 200, operation.path);
      for (const foreign of ids) assert.ok(!text.includes(`"${foreign}"`), operation.path);
    }
  }
});

/** Names of one tenant’s things that a query can ask for. */
function isIdentifier(name: string): boolean {
  return /Id$|^webHookUri$|^tenant$/.test(name);
}

type Asked = { readonly parameters: readonly string[]; readonly id: string; readonly uri: string };

function callWith(
  call: ReturnType<typeof caller>,
  operation: Operation,
  { parameters, id, uri }: Asked,
) {
  const webHookUri = `${at}/${uri}?noecho`;
  const params = Object.fromEntries(parameters.map((name) => [name, id]));
  const asked = operation.query
    .filter(isIdentifier)
    .map((name) => [name, name === 'webHookUri' ? webHookUri : id]);
  const query =
    asked.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(asked)).toString()}`;
  const hasBody = ['PUT', 'POST'].includes(operation.method);
  const body = ROUTES[operation.operationId]?.bodyForForeign ?? { Id: id, WebHookUri: webHookUri };
  return call(operation.method, pathOf(operation, { params, query }), hasBody ? body : undefined);
}

/** 404 for what is named in the path, nothing found for what is searched, 403 for what is the operator’s. */
function expectedForForeign({ operationId }: Operation, parameters: readonly string[]): number {
  if (ROUTES[operationId]?.access === 'admin') return 403;
  // Automation tools unsubscribe twice: gone is gone.
  if (operationId === 'deleteSubscription') return 200;
  if (ROUTES[operationId]?.isSearch === true) return 200;
  return parameters.length > 0 ? 404 : 200;
}

/** An answer without what is another in each. */
function plainText({ operationId }: Operation, { text }: Answer): string {
  const varying = ROUTES[operationId]?.varying ?? [];
  return varying.reduce(
    (rest, name) =>
      rest.replace(new RegExp(`"${name}":"[0-9a-f]{32}"|"${name}":"[\\d:TZ.-]+"`), ''),
    text,
  );
}

async function victimIds(): Promise<Readonly<Record<string, string>>> {
  const call = caller(server, () => server.running.adminKey, 'victim');
  const registration = await call('POST', '/webhooks/registrations', {
    WebHookUri: `${at}/victim?noecho`,
    IsPaused: true,
  });
  const event = await call('POST', '/webhooks/events', { Action: 'A' });
  const deliveries = await call('GET', '/webhooks/deliveries');
  const { Id: key } = await keyOf('victim', 'Full control');
  const audit = await call('GET', '/webhooks/audit');
  return {
    registration: registration.json.Id,
    event: event.json.Id,
    delivery: deliveries.json.Items[0].Id,
    key,
    entry: audit.json.Items[0].Id,
    tenant: 'victim',
  };
}

const LEVELS = [
  'none',
  'revoked',
  'expired',
  'Read only',
  'Publish',
  'Full control',
  'Admin',
] as const;
const MAY: Readonly<Record<Access, readonly (typeof LEVELS)[number][]>> = {
  open: LEVELS,
  read: ['Read only', 'Full control', 'Admin'],
  write: ['Full control', 'Admin'],
  publish: ['Publish', 'Full control', 'Admin'],
  admin: ['Admin'],
};

test('each level of key may call its routes and no others, and a refused call changes nothing', async () => {
  const keys: Record<string, string> = { Admin: server.running.adminKey };
  for (const level of ['Read only', 'Publish', 'Full control'])
    keys[level] = (await keyOf(TENANT, level)).Key;
  const rows: string[] = [];
  for (const operation of operations) {
    const { access, call } = ROUTES[operation.operationId]!;
    const refused = LEVELS.filter((level) => !MAY[access].includes(level));
    const row = new Map<string, number>();
    const useless = new Map<string, string | undefined>();
    for (const level of refused)
      if (keys[level] === undefined) useless.set(level, await uselessKey(level));
    const forRefused = await call(make);
    const before = await stateOf(TENANT);
    for (const level of refused) {
      const key = keys[level] ?? useless.get(level);
      const path = pathOf(operation, forRefused);
      row.set(level, await ask(operation.method, path, { key, body: forRefused.body }));
      const expected = keys[level] === undefined ? 401 : 403;
      assert.equal(row.get(level), expected, `${operation.method} ${operation.path} with ${level}`);
    }
    assert.equal(await stateOf(TENANT), before, operation.operationId);
    for (const level of MAY[access]) {
      const good = await call(make);
      const key = keys[level] ?? (await uselessKey(level));
      const status = await ask(operation.method, pathOf(operation, good), { key, body: good.body });
      row.set(level, status);
      const what = `${operation.method} ${operation.path} with ${level}: ${status}`;
      assert.ok(status >= 200 && status < 300, what);
    }
    const shown = LEVELS.map((level) => String(row.get(level)).padEnd(level.length + 2)).join('');
    rows.push(`${operation.method.padEnd(7)}${operation.path.padEnd(44)}${shown}`);
  }
  const head = `${'route × level'.padEnd(51)}${LEVELS.map((level) => level.padEnd(level.length + 2)).join('')}`;
  console.log(`\n${head}\n${rows.join('\n')}\n`);
});

test('every call that changes something is in the audit log, by its request id', async () => {
  for (const operation of operations) {
    const { access, isAudited = false, call } = ROUTES[operation.operationId]!;
    assert.equal(
      isAudited,
      operation.operationId === 'exportSubject' ||
        (operation.method !== 'GET' && access !== 'read' && access !== 'publish'),
      `${operation.operationId}: all calls but reads of no person and publishing are audited`,
    );
    const good = await call(make);
    const answer = await inTenant(operation.method, pathOf(operation, good), good.body);
    assert.ok(answer.status < 300, answer.text);
    const { json } = await admin('GET', '/admin/audit?limit=20');
    const entry = json.Items.find(
      (each: Json) => each.By.RequestId === answer.headers.get('x-request-id'),
    );
    assert.equal(entry !== undefined, isAudited, operation.operationId);
    if (entry !== undefined) {
      const route = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
      assert.equal(entry.By.Call, `${operation.method} ${route}`);
    }
  }
});

test('a revoked key and a key of a deleted tenant stop at once, also when the tenant comes again', async () => {
  await admin('POST', '/admin/tenants', { Id: 'short' });
  const { Key: first, Id } = await keyOf('short', 'Full control');
  const { Key: second } = await keyOf('short', 'Full control');
  const read = (key: string) => ask('GET', '/webhooks/filters', { key });
  assert.deepEqual([await read(first), await read(second)], [200, 200]);
  await admin('DELETE', `/admin/tenants/short/keys/${Id}`);
  assert.deepEqual([await read(first), await read(second)], [401, 200]);
  const [late] = await Promise.all([
    admin('POST', '/admin/tenants/short/keys', { Level: 'Full control' }),
    admin('DELETE', '/admin/tenants/short'),
  ]);
  await admin('POST', '/admin/tenants', { Id: 'short' });
  assert.equal(await read(second), 401);
  if (late.status === 201) assert.equal(await read(late.json.Key), 401);
  assert.deepEqual((await admin('GET', '/admin/tenants/short/keys')).json, []);
});

async function uselessKey(level: (typeof LEVELS)[number]): Promise<string | undefined> {
  if (level === 'none') return undefined;
  const expired = { ExpiresAt: '2020-01-01T00:00:00Z' };
  const { Key, Id } = await keyOf(TENANT, 'Full control', level === 'expired' ? expired : {});
  if (level === 'revoked') await admin('DELETE', `/admin/tenants/${TENANT}/keys/${Id}`);
  return Key;
}

test('each call on one connection is judged by the key that it presents, and by what that may do now', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const { port } = new URL(server.running.url);
  const statusWith = (key: string | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const path = '/webhooks/registrations';
      const request = httpRequest({ host: '127.0.0.1', port, path, headers, agent }, (response) => {
        sockets.add(response.socket);
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', reject);
      request.end();
    });
  const keys = `/admin/tenants/${TENANT}/keys`;
  const { json } = await admin('POST', keys, { Level: 'Read only', Name: 'one connection' });
  const presented = [json.Key, json.Key, 'another', undefined, json.Key];
  const statuses: number[] = [];
  for (const key of presented) statuses.push(await statusWith(key));
  await admin('DELETE', `${keys}/${json.Id}`);
  statuses.push(await statusWith(json.Key));
  assert.deepEqual(statuses, [200, 200, 401, 401, 200, 401]);
  assert.equal(sockets.size, 1);
  agent.destroy();
});

let callers = 0;

/** From a new address each time, so that the limit of failures stays out of it. */
function ask(
  method: string,
  path: string,
  { key, body }: { readonly key?: string | undefined; readonly body?: object | undefined },
): Promise<number> {
  callers += 1;
  const localAddress = `127.1.${callers >> 8}.${callers & 255}`;
  const headers = {
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    ...(key === server.running.adminKey ? { 'schoolbell-tenant': TENANT } : {}),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const { port } = new URL(server.running.url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, localAddress, method, path, headers, agent: false },
      (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
