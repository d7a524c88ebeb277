import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { endProcess } from '../../tools/server-process.ts';
import { type Json, TestReceiver } from '../e2e/harness.ts';
import { type Make, operationsOf, pathOf, ROUTES } from './access-calls.ts';

const MAIN = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'schoolbell-secrets-'));
const receiver = new TestReceiver();
let child: ChildProcess;
let url = '';
let at = '';
let log = '';

/** What must be found nowhere, by what it is. */
const PLANTED: Record<string, string> = {
  'admin key': `admin-${randomBytes(24).toString('hex')}`,
  'encryption key': randomBytes(32).toString('base64'),
  'registration secret': `secret-${randomBytes(16).toString('hex')}`,
  'header value': `header-${randomBytes(16).toString('hex')}`,
  'value of a query': `query-${randomBytes(16).toString('hex')}`,
  'query without a name': `bare-${randomBytes(16).toString('hex')}`,
};
/** Each answer but those whose purpose it is to show a secret this once. */
const answers: { readonly what: string; readonly text: string }[] = [];

before(async () => {
  at = await receiver.listen();
  receiver.answer = (response, { path, headers, body }) => {
    // A receiver that gives back what it was sent, in every way there is.
    const given = JSON.stringify({ url: response.req.url, headers, body });
    const location = `http://elsewhere.example${response.req.url}`;
    const auth = String(headers.authorization);
    response.writeHead(path === '/fails' ? 307 : 200, { location, 'x-auth': auth }).end(given);
  };
  child = spawn(
    process.execPath,
    [MAIN, 'serve', '--data', folder, '--port', '0', '--allow-networks', '127.0.0.0/8'],
    {
      env: {
        ...process.env,
        SCHOOLBELL_ADMIN_KEY: PLANTED['admin key'],
        SCHOOLBELL_ENCRYPTION_KEY: PLANTED['encryption key'],
        SCHOOLBELL_LOG_LEVEL: 'trace',
        SCHOOLBELL_RETRY_SCHEDULE: '0s,100ms',
      },
    },
  );
  url = await new Promise<string>((resolve) => {
    const read = (chunk: Buffer): void => {
      log += chunk.toString('utf8');
      const ready = /"url":"([^"]+)"/.exec(log)?.[1];
      if (ready !== undefined) resolve(ready);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
  });
});

after(async () => {
  await endProcess(child);
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${PLANTED['admin key']}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json: Json = /^[[{]/.test(text) ? JSON.parse(text) : undefined;
  const shows = response.status === 201 && (json?.Secret !== undefined || json?.Key !== undefined);
  const shown = [text, ...[...response.headers].flat()].join('\n');
  if (!shows) answers.push({ what: `${method} ${path.slice(0, 80)}`, text: shown });
  return { status: response.status, text, json };
}

function registration(path: string, rest: object = {}): object {
  const query = `sig=${PLANTED['value of a query']}&${PLANTED['query without a name']}`;
  return {
    WebHookUri: `${at}${path}?noecho&${query}`,
    Secret: PLANTED['registration secret'],
    Headers: { Authorization: `Bearer ${PLANTED['header value']}` },
    ...rest,
  };
}

test('what is secret is in no file of the store, no line of the log and no answer', async () => {
  const make = maker();
  for (const level of ['Read only', 'Publish', 'Full control']) {
    const body = { Level: level, Name: level };
    const { json } = await ask('POST', '/admin/tenants/default/keys', body);
    PLANTED[`${level} key`] = json.Key;
  }
  const document = await ask('GET', '/openapi.json');
  for (const operation of operationsOf({ ...document, headers: new Headers() })) {
    const good = await ROUTES[operation.operationId]!.call(make);
    const { status, text } = await ask(operation.method, pathOf(operation, good), good.body);
    assert.ok(status < 300, `${operation.operationId} ${status} ${text}`);
    for (const level of ['Read only', 'Publish', 'Full control']) {
      const headers = { authorization: `Basic ${btoa(`api:${PLANTED[`${level} key`]}`)}` };
      await ask(operation.method, pathOf(operation, good), good.body, headers);
    }
  }
  await failures();
  await deliveries();
  for (const path of ['registrations', 'events', 'deliveries', 'audit'])
    await ask(
      'GET',
      `/webhooks/${path}?limit=1000`.replace('registrations?limit=1000', 'registrations'),
    );
  await ask('GET', '/admin/audit?limit=1000');
  await ask('GET', '/metrics');
  const running = filesOfTheStore();
  await endProcess(child);
  const places = [
    ...answers,
    { what: 'the log', text: log },
    ...running.map(({ what, text }) => ({ what: `${what} while it ran`, text })),
    ...filesOfTheStore(),
  ];
  const found = places.flatMap(({ what, text }) =>
    Object.entries(PLANTED)
      .filter(([, secret]) => text.includes(secret))
      .map(([name]) => `${name} in ${what}`),
  );
  assert.deepEqual([...new Set(found)], []);
  assert.ok(log.split('\n').length > 100 && answers.length > 150 && running.length > 0);
  console.log(
    `secrets: ${Object.keys(PLANTED).length} planted, searched for in ${answers.length} answers, ${log.split('\n').length} lines of log and ${running.map(({ what }) => what).join(', ')}: ${found.length} found`,
  );
});

function filesOfTheStore(): { what: string; text: string }[] {
  const names = readdirSync(folder).filter((name) => name.startsWith('schoolbell.db'));
  return names.map((what) => ({ what, text: readFileSync(join(folder, what), 'latin1') }));
}

function maker(): Make {
  let n = 0;
  const idOf = async (path: string, body: object): Promise<string> =>
    (await ask('POST', path, body)).json.Id;
  const register = (rest: object = {}) =>
    idOf('/webhooks/registrations', registration('/hook', rest));
  const replay = async (): Promise<string> =>
    idOf(`/webhooks/registrations/${await register({ IsPaused: true })}/replay`, {
      From: '2020-01-01',
    });
  return {
    replay,
    pausedReplay: async () => {
      const id = await replay();
      await ask('POST', `/webhooks/replays/${id}/pause`);
      return id;
    },
    registration: () => register(),
    pausedRegistration: () => register({ IsPaused: true }),
    event: () => idOf('/webhooks/events', { Action: 'A' }),
    delivery: async () => {
      const id = await register({ IsPaused: true });
      await ask('POST', '/webhooks/events', { Action: 'A' });
      const { json } = await ask('GET', `/webhooks/deliveries?registrationId=${id}`);
      return json.Items[0].Id;
    },
    tenant: () => idOf('/admin/tenants', { Id: `made-${(n += 1)}` }),
    key: () => idOf('/admin/tenants/default/keys', { Level: 'Publish' }),
    filter: async () =>
      (await ask('PUT', '/admin/filters/Passing', { Description: 'd' })).json.Name,
    uri: `${at}/hook?noecho&sig=${PLANTED['value of a query']}`,
    ownTenant: 'default',
  };
}

/** Everything that is refused while it holds something secret. */
async function failures(): Promise<void> {
  const secret = PLANTED['value of a query'];
  const path = '/webhooks/registrations';
  const uris = [
    `${at}/hook?sig=${secret}`,
    `http://127.0.0.1:1/hook?sig=${secret}`,
    `http://10.0.0.1/hook?sig=${secret}`,
    `http://nowhere.invalid/hook?sig=${secret}`,
    `ftp://receiver.example/hook?sig=${secret}`,
    `http://user:${PLANTED['header value']}@receiver.example/`,
    `http://receiver.example/#${secret}`,
    `http://receiver.example:99999/?sig=${secret}`,
  ];
  for (const WebHookUri of uris) await ask('POST', path, registration('', { WebHookUri }));
  const headers = { Host: PLANTED['header value'] };
  await ask('POST', path, registration('/hook', { Headers: headers }));
  const broken = { 'X-A': `${PLANTED['header value']}\n` };
  await ask('POST', path, registration('/hook', { Headers: broken }));
  await ask(
    'POST',
    path,
    registration('/hook', { Secret: PLANTED['registration secret']?.slice(-20) }),
  );
  await ask('POST', path, registration('/hook', { Filters: ['nothing'] }));
  await ask('POST', path, `{"Secret":"${PLANTED['registration secret']}`);
  await ask('PUT', `${path}/none`, registration('/hook', { Id: 'none' }));
  for (const key of ['admin key', 'Full control key', 'encryption key']) {
    const value = encodeURIComponent(PLANTED[key] ?? '');
    await ask('GET', `${path}?key=${value}`, undefined, { authorization: '' });
    await ask('GET', `/nothing?key=${value}`);
    await ask('GET', path, undefined, { authorization: `Bearer ${PLANTED[key]}x` });
    await ask('GET', path, undefined, { authorization: `Digest ${PLANTED[key]}` });
    await ask('POST', '/webhooks/events', '{', { 'idempotency-key': 'k' });
  }
}

/** One that the receiver answers and one that it redirects, both of which give everything back. */
async function deliveries(): Promise<void> {
  for (const path of ['/works', '/fails']) {
    const { json } = await ask('POST', '/webhooks/registrations', registration(path));
    await ask('POST', '/webhooks/events', { Action: 'A' });
    await receiver.expect(path, path === '/works' ? 1 : 2);
    await ask('POST', `/webhooks/registrations/${json.Id}/test`, {});
    for (let state = 'pending'; state === 'pending';) {
      const page = await ask('GET', `/webhooks/deliveries?registrationId=${json.Id}`);
      state = page.json.Items[0].State;
      await ask('GET', `/webhooks/deliveries/${page.json.Items[0].Id}`);
    }
  }
}
