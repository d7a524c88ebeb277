import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type RunningSchoolbell,
  startSchoolbell,
} from '../../packages/server/src/app/schoolbell.ts';
import { AppError } from '../../packages/server/src/core/errors.ts';
import { compactJson } from '../../packages/server/src/core/json-text.ts';
import { parseSchedule } from '../../packages/server/src/core/schedule.ts';
import { DIFFERENCES } from './differences.ts';
import {
  type CallCase,
  compatibilityRows,
  type NotificationCase,
  recorded,
} from './recorded-cases.ts';
import { storeOptions } from './harness.ts';
import { RecordedReceiver, type Seen } from './recorded-receiver.ts';

/** Where the recording took place. */
const RECORDED_RECEIVER = /(127\.0\.0\.1|localhost):7811/g;
const RECORDED_SENDER = /http:\/\/127\.0\.0\.1:78\d\d/g;
const GUID = /[0-9a-f]{32}/g;

const receiver = new RecordedReceiver();
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-vectors-'));
const servers = new Map<string, RunningSchoolbell>();
const keys = new Map<string, string>();
/** Recorded ids and generated secrets, and what stands for them here. */
const translations = new Map<string, string>();
let receiverPort = 0;

before(async () => {
  receiverPort = await receiver.listen();
});

after(async () => {
  for (const server of servers.values()) await server.stop();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Instance B keeps ids that clients ask for and has a registrar; see the recording's `instances`. */
async function serverOf(instance: string): Promise<RunningSchoolbell> {
  const known = servers.get(instance);
  if (known !== undefined) return known;
  const registrar = {
    name: 'PrivateRegistrar',
    register: ({ description }: { description: string | null }) => {
      if (description === 'registrar-throws') throw new Error('registrar said no');
      if (description === 'registrar-403')
        throw new AppError('forbidden', 'refused', { emptyBody: true });
      return ['MS_Private_Broadcast'];
    },
  };
  const special =
    instance === 'B' ? { registrars: [registrar], idValidator: (id: string | null) => id } : {};
  const server = await startSchoolbell({
    dataDir: join(folder, instance),
    port: 0,
    // A recorded case calls a closed port, which belongs to another service and so must be named.
    allowNetworks: ['127.0.0.0/8', '127.0.0.1:9', 'localhost'],
    schedule: parseSchedule('0ms,50ms,100ms'),
    showSecrets: true,
    logLevel: 'silent',
    ...(await storeOptions()),
    ...special,
  });
  servers.set(instance, server);
  return server;
}

async function keyFor(instance: string, tenant: string): Promise<string> {
  const { library } = await serverOf(instance);
  const name = `${instance} ${tenant}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  if (library.tenants.get(tenant) === undefined)
    await library.tenants.create(tenant, { name: tenant, maxPending: null });
  const { key } = await library.keys.create(tenant, {
    level: 'Full control',
    name: 'test',
    expiresAt: null,
  });
  keys.set(name, key);
  return key;
}

/** The recording's own way to fire, played through the publish call. */
async function notify(server: RunningSchoolbell, body: string): Promise<Answer> {
  const fired = JSON.parse(body) as { user: string; notifications: readonly { Action: string }[] };
  const texts = fired.notifications.map(({ Action }) => JSON.stringify({ Action }));
  const answer = await publish(server, fired.user, texts);
  const headers = new Headers({ 'content-type': 'application/json; charset=utf-8' });
  return {
    status: 200,
    headers,
    body: JSON.stringify({ count: parsed(answer.body)?.['Deliveries'] }),
  };
}

function here(text: string, url: string): string {
  const moved = text
    .replaceAll(RECORDED_RECEIVER, (_all, host: string) => `${host}:${receiverPort}`)
    .replaceAll(RECORDED_SENDER, url);
  return moved.replaceAll(/[0-9A-Fa-f]{32}/g, (id) => {
    const ours = translations.get(id.toLowerCase());
    if (ours === undefined) return id;
    return id === id.toLowerCase() ? ours : ours.toUpperCase();
  });
}

type Answer = { readonly status: number; readonly headers: Headers; readonly body: string };

async function play({ instance, request }: CallCase): Promise<Answer> {
  if (request.path === '/oracle/notify')
    return notify(await serverOf(instance), request.body ?? '');
  const { url } = await serverOf(instance);
  const headers = new Headers();
  for (const [name, value] of request.headers) headers.append(name, value);
  const user = /^Basic (.+)$/.exec(headers.get('authorization') ?? '')?.[1];
  if (user !== undefined) {
    const tenant = Buffer.from(user, 'base64').toString('utf8').split(':')[0] ?? '';
    const key = await keyFor(instance, tenant.toLowerCase());
    headers.set('authorization', `Basic ${Buffer.from(`${tenant}:${key}`).toString('base64')}`);
  }
  const isText =
    request.body_base64 !== undefined &&
    Buffer.from(request.body_base64, 'base64').toString('utf8') === request.body;
  const body = isText
    ? Buffer.from(here(request.body ?? '', url))
    : Buffer.from(request.body_base64 ?? '', 'base64');
  const hasBody = request.body_base64 !== undefined && !['GET', 'HEAD'].includes(request.method);
  const response = await fetch(here(`${url}${request.path}`, url), {
    method: request.method,
    headers,
    ...(hasBody ? { body } : {}),
  });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

/** Ids and secrets that were made then are other ones now: learn which, before texts are compared. */
function learn(then: string, now: string): void {
  const [theirs, ours] = [parsed(then), parsed(now)];
  for (const member of ['Id', 'Secret']) {
    const [their, our] = [theirs?.[member], ours?.[member]];
    if (typeof their === 'string' && typeof our === 'string' && /^[0-9a-f]{32}$/.test(their)) {
      translations.set(their, our);
    }
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** The words after this are the transport's own, which were not Microsoft's in the recording. */
const TRANSPORT_WORDS =
  /(Error encountered: )(Connection refused|No such host is known|An error occurred while sending the request\.)/;

async function differenceOfCall(each: CallCase): Promise<string | undefined> {
  receiver.reset();
  const answer = await play(each);
  const { url } = await serverOf(each.instance);
  if (answer.status !== each.response.status)
    return `status ${answer.status}, recorded ${each.response.status}`;
  if (answer.status === 201) learn(each.response.body, answer.body);
  for (const [name, value] of headersOf(each)) {
    const ours = answer.headers.get(name) ?? '';
    const [wanted, got] =
      name === 'Allow' ? [sorted(value), sorted(ours)] : [here(value, url), ours];
    if (each.request.method !== 'HEAD' && got !== wanted)
      return `${name}: ${got}, recorded ${wanted}`;
  }
  const [wanted, got] = [here(each.response.body, url), answer.body].map((text) =>
    text.replace(TRANSPORT_WORDS, '$1'),
  );
  if (got !== wanted) return `body ${got}, recorded ${wanted}`;
  const calls = (each.requests_seen_by_webhook_uri ?? []).map(({ request_line }) =>
    here(request_line, url).replace(GUID, '<guid>'),
  );
  const echoes = receiver.seen.filter(({ method }) => method === 'GET');
  const seen = echoes.map(({ method, target }) =>
    `${method} ${target} HTTP/1.1`.replace(GUID, '<guid>'),
  );
  if (each.request.path.startsWith('/api') && calls.join('\n') !== seen.join('\n')) {
    return `calls ${seen.join(', ')}, recorded ${calls.join(', ')}`;
  }
  return undefined;
}

/** One line a name: `Allow` was recorded as a line for each method. */
function headersOf({ response }: CallCase): readonly [string, string][] {
  const names = new Set(
    response.headers.map(([name]) => name).filter((name) => name !== 'Content-Length'),
  );
  return [...names].map((name) => [
    name,
    response.headers
      .filter((line) => line[0] === name)
      .map(([, value]) => value)
      .join(','),
  ]);
}

function sorted(list: string): string {
  return list
    .split(',')
    .map((item) => item.trim())
    .toSorted()
    .join(',');
}

async function differenceOfNotification(
  each: NotificationCase,
  index: number,
): Promise<string | undefined> {
  if (each.timeline_seconds_and_attempt !== undefined) return 'attempts do not wait in a line';
  const server = await serverOf(
    each.fired?.some((fire) => typeof fire !== 'string' && fire.all === true) ? 'E' : 'N',
  );
  receiver.reset();
  const secrets = new Map<string, string>();
  const tenants: string[] = [];
  for (const [n, request] of each.registrationTexts.entries()) {
    const isShared = each.registrationTexts.length === 1;
    const tenant = isShared ? `case${index}` : `case${index}-${n}`;
    tenants.push(tenant);
    const made = await call(server, tenant, '/webhooks/registrations', here(request, server.url));
    const refusal =
      made.status === 201 ? undefined : `registration answered ${made.status} ${made.body}`;
    if (refusal !== undefined) return refusal;
    secrets.set(tenant, String(parsed(made.body)?.['Secret']));
  }
  receiver.reset();
  const owner = each.name === 'unknown user' ? 'nobody-at-all' : (tenants[0] ?? `case${index}`);
  for (const fire of each.fired ?? []) {
    if (typeof fire === 'string') return 'fired by CLR code';
    const answer = await publish(server, fire.all === true ? '*' : owner, fire.notificationTexts);
    if (answer.status !== 202) return `publish answered ${answer.status} ${answer.body}`;
    const count = parsed(answer.body)?.['Deliveries'];
    if (each.result?.count !== undefined && count !== each.result.count)
      return `${String(count)} deliveries, recorded ${each.result.count}`;
  }
  const expected = each.deliveries ?? [];
  await Promise.race([
    receiver.expectPosts(expected.length),
    new Promise((resolve) => setTimeout(resolve, 3000).unref()),
  ]);
  await server.library.ready();
  return (
    compareDeliveries(each, receiver.posts()) ??
    (each.afterwards === undefined ? undefined : 'no further event is sent')
  );
}

function compareDeliveries(each: NotificationCase, posts: readonly Seen[]): string | undefined {
  const expected = each.deliveries ?? [];
  if (posts.length !== expected.length)
    return `${posts.length} deliveries arrived, recorded ${expected.length}`;
  for (const [n, then] of byTarget(expected, (one) => one.request_line).entries()) {
    const now = byTarget(posts, (one) => one.target)[n];
    if (now === undefined) return 'a delivery is missing';
    const line = `${now.method} ${now.target} HTTP/1.1`;
    if (line !== then.request_line) return `${line}, recorded ${then.request_line}`;
    const [theirs, ours] = [compactJson(then.body_utf8 ?? ''), now.body.toString('utf8')].map(
      (body) => body.replace(/"Id":"[0-9a-f]{32}"/, '"Id":""'),
    );
    if (ours !== theirs) return `body ${ours}, recorded ${theirs}`;
    const signature = `sha256=${createHmac('sha256', then.secret).update(now.body).digest('hex').toUpperCase()}`;
    for (const [name, value] of then.headers) {
      if (['Content-Length', 'Host'].includes(name)) continue;
      const wanted = name === 'ms-signature' ? signature : value;
      const got = headerOf(now, name);
      if (got !== wanted) return `${name}: ${got}, recorded ${wanted}`;
    }
  }
  return undefined;
}

/** Several registrations are called in any order. */
function byTarget<T>(list: readonly T[], target: (item: T) => string): T[] {
  return list.toSorted((a, b) =>
    new URL(target(a).split(' ')[1] ?? target(a), 'http://x').pathname <
    new URL(target(b).split(' ')[1] ?? target(b), 'http://x').pathname
      ? -1
      : 0,
  );
}

function headerOf({ headers }: Seen, name: string): string {
  const at = headers.findIndex(
    (each, index) => index % 2 === 0 && each.toLowerCase() === name.toLowerCase(),
  );
  return headers[at + 1] ?? '';
}

async function call(
  server: RunningSchoolbell,
  tenant: string,
  path: string,
  body: string,
): Promise<Answer> {
  const { library, url, adminKey } = server;
  if (library.tenants.get(tenant) === undefined)
    await library.tenants.create(tenant, { name: tenant, maxPending: null });
  const headers = {
    authorization: `Bearer ${adminKey}`,
    'schoolbell-tenant': tenant,
    'content-type': 'application/json',
  };
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body });
  return { status: response.status, headers: response.headers, body: await response.text() };
}

function publish(
  server: RunningSchoolbell,
  tenant: string,
  notifications: readonly string[],
): Promise<Answer> {
  const isAll = tenant === '*';
  const event = `{${isAll ? '"Tenant":"*",' : ''}"Notifications":[${notifications.join(',')}]}`;
  return call(server, isAll ? 'default' : tenant, '/webhooks/events', event);
}

test('every recorded case is met, or listed with the row that explains it', async (t) => {
  const outcomes = new Map<string, string | undefined>();
  for (const each of recorded.registration) outcomes.set(each.name, await differenceOfCall(each));
  for (const [index, each] of recorded.notifications.entries()) {
    outcomes.set(each.name, await differenceOfNotification(each, index));
  }
  for (const { name } of recorded.default_delays_and_timeout) outcomes.set(name, 'takes minutes');

  const failed = [...outcomes].filter(
    ([name, difference]) => difference !== undefined && DIFFERENCES[name] === undefined,
  );
  const listed = [...outcomes].filter(
    ([name, difference]) => difference !== undefined && DIFFERENCES[name] !== undefined,
  );
  const stale = Object.keys(DIFFERENCES).filter((name) => outcomes.get(name) === undefined);
  const met = outcomes.size - failed.length - listed.length;
  t.diagnostic(`recorded cases: ${met} met, ${listed.length} listed, ${failed.length} failed`);
  if (process.env['SHOW_DIFFERENCES'] === '1')
    for (const [name, difference] of listed) t.diagnostic(`${name}: ${difference}`);
  assert.deepEqual(
    failed.map(([name, difference]) => `${name}: ${difference}`),
    [],
    'differ and are not listed',
  );
  assert.deepEqual(stale, [], 'are listed but met, or not recorded');
});

test('every listed case names a row of the compatibility page', () => {
  const rows = compatibilityRows();
  const unknown = Object.entries(DIFFERENCES).filter(([, row]) => !rows.has(row));
  assert.deepEqual(unknown, []);
});
