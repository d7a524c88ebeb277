import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caller, type Json, TestReceiver, TestServer } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
let at = '';
const admin = caller(server, () => server.running.adminKey);

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

async function freshTenant(id: string) {
  await admin('POST', '/admin/tenants', { Id: id, Name: id });
  const body = { Level: 'Full control', Name: 'registrar of the school' };
  const { json } = await admin('POST', `/admin/tenants/${id}/keys`, body);
  return { call: caller(server, () => json.Key), keyId: json.Id as string };
}

test('every change tells who asked, from where, by which call, and what was before and after', async () => {
  const { call, keyId } = await freshTenant('audited');
  const uri = `${at}/audited?noecho&sig=first-signature`;
  const secret = 'the first secret of this registration';
  const body = { WebHookUri: uri, Secret: secret, Headers: { 'X-Key': 'first-value' } };
  const made = await call('POST', '/webhooks/registrations', body);
  const { Id } = made.json;
  const replaced = await call('PUT', `/webhooks/registrations/${Id}`, {
    ...body,
    Id,
    Headers: { 'X-Key': 'second-value' },
    Description: 'new',
  });
  const removed = await call('DELETE', `/webhooks/registrations/${Id}`);
  const { json, text } = await call('GET', '/webhooks/audit');
  const [deleted, changed, added, key, tenant] = json.Items;
  assert.deepEqual(
    json.Items.map((each: Json) => [each.Change, each.Target]),
    [
      ['registration deleted', Id],
      ['registration replaced', Id],
      ['registration added', Id],
      ['key created', keyId],
      ['tenant created', 'audited'],
    ],
  );
  assert.deepEqual(
    [added, changed, deleted].map((each) => each.By.RequestId),
    [made, replaced, removed].map((each) => each.headers.get('x-request-id')),
  );
  assert.deepEqual(changed.By, {
    Level: 'Full control',
    KeyId: keyId,
    KeyName: 'registrar of the school',
    Call: 'PUT /webhooks/registrations/:id',
    Address: '127.0.0.1',
    RequestId: replaced.headers.get('x-request-id'),
  });
  assert.deepEqual([tenant.By.Level, tenant.By.KeyId], ['Admin', null]);
  assert.deepEqual(key.After, {
    Id: keyId,
    Level: 'Full control',
    Name: 'registrar of the school',
    ExpiresAt: null,
  });
  assert.deepEqual([added.Before, deleted.After], [null, null]);
  assert.deepEqual([changed.Before, deleted.Before], [added.After, changed.After]);
  assert.deepEqual([changed.Before.Description, changed.After.Description], [null, 'new']);
  assert.equal(changed.Before.Secret, changed.After.Secret, 'the same secret has the same name');
  assert.notEqual(changed.Before.Headers[0].Value, changed.After.Headers[0].Value);
  assert.match(added.After.WebHookUri, /\/audited\?noecho&sig=\*\*\*\* #[0-9a-f]{8}$/);
  assert.doesNotMatch(text, /first-signature|the first secret|first-value|second-value/);
});

test('a refused call is not in the log, and pages of it follow each other', async () => {
  const { call } = await freshTenant('paged');
  assert.equal((await call('POST', '/webhooks/registrations', {})).status, 400);
  for (let n = 0; n < 3; n += 1)
    await call('POST', '/webhooks/registrations', { WebHookUri: `${at}/paged/${n}?noecho` });
  const targets: string[] = [];
  for (let cursor = ''; ;) {
    const { json } = await call('GET', `/webhooks/audit?limit=2${cursor}`);
    targets.push(...json.Items.map((each: Json) => each.Id));
    if (json.Next === null) break;
    cursor = `&cursor=${json.Next}`;
  }
  assert.equal(new Set(targets).size, 5);
  assert.equal(
    (await call('GET', '/webhooks/audit?from=2000-01-01&to=2000-01-02')).json.Items[0],
    undefined,
  );
  assert.equal((await call('GET', '/webhooks/audit?tenant=audited')).status, 400);
});

test('a tenant sees its own log only; the operator sees all, of the installation and of tenants that are gone', async () => {
  const one = await freshTenant('one');
  const other = await freshTenant('other');
  const put = { Description: 'A badge.', Example: { Action: 'BadgeAwarded' } };
  await admin('PUT', '/admin/filters/BadgeAwarded', put);
  await admin('DELETE', '/admin/filters/BadgeAwarded');
  const seen = (await one.call('GET', '/webhooks/audit')).json.Items;
  assert.ok(seen.every((each: Json) => each.Tenant === 'one'));
  assert.equal((await other.call('GET', '/admin/audit')).status, 403);
  await one.call('POST', '/webhooks/registrations', { WebHookUri: `${at}/one?noecho` });
  assert.equal((await admin('DELETE', '/admin/tenants/one')).status, 204);
  const again = await freshTenant('one');
  assert.deepEqual(
    (await again.call('GET', '/webhooks/audit')).json.Items.map((each: Json) => each.Change),
    ['key created', 'tenant created'],
  );
  const all = (await admin('GET', '/admin/audit?tenant=one')).json.Items;
  assert.deepEqual(
    all.map((each: Json) => each.Change),
    [
      'key created',
      'tenant created',
      'tenant deleted',
      'registration deleted',
      'registration added',
      'key created',
      'tenant created',
    ],
  );
  const [gone, born] = (await admin('GET', '/admin/audit')).json.Items.filter(
    (each: Json) => each.Tenant === null,
  );
  assert.deepEqual(
    [gone.Change, born.Change, born.Target],
    ['filter deleted', 'filter put', 'BadgeAwarded'],
  );
  assert.match(born.After.Example, /^sha256:[0-9a-f]{64}$/);
});

test('every answer has a request id of ours, also those that no route gave', async () => {
  const ids = new Set<string | null>();
  for (const path of [
    '/health/live',
    '/webhooks/filters',
    '/nothing',
    '/webhooks/registrations/%zz',
  ]) {
    const answer = await fetch(server.running.url + path, { headers: { 'x-request-id': 'mine' } });
    await answer.arrayBuffer();
    assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-f]{32}$/, path);
    ids.add(answer.headers.get('x-request-id'));
  }
  assert.equal(ids.size, 4);
});

test('what was masked in an answer means unchanged when it is sent back, and nothing for another host', async () => {
  const { call } = await freshTenant('masking');
  const uri = `${at}/masking?noecho&sig=very-secret`;
  const { json } = await call('POST', '/webhooks/registrations', {
    WebHookUri: uri,
    Headers: { Authorization: 'Bearer very-secret' },
  });
  assert.deepEqual([json.WebHookUri, json.Headers.Authorization], [uri, 'Bearer very-secret']);
  const path = `/webhooks/registrations/${json.Id}`;
  const read = await call('GET', path);
  assert.doesNotMatch(
    read.text + (await call('GET', '/webhooks/registrations')).text,
    /very-secret/,
  );
  assert.equal(
    (await call('PUT', path, { ...read.json, Description: 'read and sent back' })).status,
    200,
  );
  const found = await call('GET', `/webhooks/registrations?webHookUri=${encodeURIComponent(uri)}`);
  assert.equal(found.json[0].Description, 'read and sent back');
  await call('POST', '/webhooks/events', { Action: 'A' });
  const [delivery] = await receiver.expect('/masking', 1);
  assert.equal(delivery?.headers.authorization, 'Bearer very-secret');
  const elsewhere = { ...read.json, WebHookUri: 'https://attacker.example/?noecho' };
  const refused = await call('PUT', path, elsewhere);
  assert.match(refused.json.Message, /"Authorization" is masked .* for this host/);
  const foreign = { ...read.json, WebHookUri: `${at}/masking?noecho&other=****` };
  assert.match((await call('PUT', path, foreign)).json.Message, /masked values/);
  const made = await call('POST', '/webhooks/registrations', {
    ...read.json,
    WebHookUri: `${at}/x?noecho`,
  });
  assert.match(made.json.Message, /none to keep/);
});
