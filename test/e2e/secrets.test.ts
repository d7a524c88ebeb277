import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { verify } from '../../packages/sdk/src/index.ts';
import { caller, type Received, TestReceiver, TestServer, until } from './harness.ts';

const server = new TestServer();
const receiver = new TestReceiver();
let at = '';
const call = caller(server, () => server.running.adminKey);

before(async () => {
  await server.start();
  at = await receiver.listen();
});

after(async () => {
  await server.end();
  await receiver.close();
});

const OLD = 'o'.repeat(32);

/** A registration of its own, and what it got next. */
async function fresh(path: string, Secret = OLD) {
  const made = await call('POST', '/webhooks/registrations', {
    WebHookUri: at + path,
    Filters: ['CourseCompleted'],
    Secret,
  });
  assert.equal(made.status, 201, made.text);
  const id: string = made.json.Id;
  let count = 0;
  return {
    id,
    change: (body?: object) => call('POST', `/webhooks/registrations/${id}/secret`, body),
    read: async () => (await call('GET', `/webhooks/registrations/${id}`)).json,
    next: async (): Promise<Received> => {
      await call('POST', '/webhooks/events', { Action: 'CourseCompleted' });
      count += 1;
      const received = (await receiver.expect(path, count))[count - 1];
      assert.ok(received);
      return received;
    },
    remove: () => call('DELETE', `/webhooks/registrations/${id}`),
  };
}

/** By the field's own packages and by the SDK: throws when they refuse it. */
async function verifyStandard(secret: string, { headers, body }: Received): Promise<void> {
  const plain = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, String(v)]));
  const encoded = secret.startsWith('whsec_') ? secret : Buffer.from(secret).toString('base64');
  new Webhook(encoded).verify(body, plain);
  new SvixWebhook(encoded).verify(body, plain);
  await verify({ body, headers: plain, secret });
}

function isMsSigned(secret: string, { headers, body }: Received): boolean {
  const hex = createHmac('sha256', secret).update(body).digest('hex').toUpperCase();
  return headers['ms-signature'] === `sha256=${hex}`;
}

test('during the overlap receivers with either secret accept, and ms-signature switches at once', async () => {
  const one = await fresh('/overlap');
  const { status, json, text } = await one.change();
  assert.equal(status, 200, text);
  assert.match(json.Secret, /^[0-9a-f]{32}$/);
  const lasts = Date.parse(json.OldSecrets[0].Until) - Date.now();
  assert.ok(lasts > 86_000_000 && lasts <= 86_400_000, String(lasts));
  const got = await one.next();
  await verifyStandard(OLD, got);
  await verifyStandard(json.Secret, got);
  await assert.rejects(verifyStandard('x'.repeat(32), got));
  assert.ok(isMsSigned(json.Secret, got));
  const read = await one.read();
  assert.equal(read.Secret, `****${json.Secret.slice(-4)}`);
  assert.deepEqual([read.SecretId, read.OldSecrets], [json.SecretId, json.OldSecrets]);
  await one.remove();
});

test('whsec_ secrets stay of their kind, and ms-signature can switch later', async () => {
  const old = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
  const one = await fresh('/later', old);
  const SwitchAt = new Date(Date.now() + 3_000_000).toISOString();
  const { json } = await one.change({ SwitchAt, OverlapSeconds: 3600 });
  assert.match(json.Secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(json.OldSecrets[0].SignsMsSignatureUntil, SwitchAt);
  const got = await one.next();
  await verifyStandard(old, got);
  await verifyStandard(json.Secret, got);
  assert.ok(isMsSigned(old, got));
  await one.remove();
});

test('an overlap of 0 and a PUT with another secret end the old ones; other PUTs leave them', async () => {
  const one = await fresh('/ends');
  const chosen = 'c'.repeat(40);
  assert.equal((await one.change({ Secret: chosen })).json.Secret, chosen);
  const read = await one.read();
  const put = (Secret: string) =>
    call('PUT', `/webhooks/registrations/${one.id}`, { ...read, Secret });
  assert.equal((await put(`****${OLD.slice(-4)}`)).status, 200, 'masked before the change');
  await verifyStandard(OLD, await one.next());
  assert.equal((await put('p'.repeat(32))).status, 200);
  const afterPut = await one.next();
  await verifyStandard('p'.repeat(32), afterPut);
  await assert.rejects(verifyStandard(chosen, afterPut));
  assert.equal('OldSecrets' in (await one.read()), false);
  await one.change();
  const { json } = await one.change({ OverlapSeconds: 0 });
  assert.deepEqual(json.OldSecrets, []);
  await assert.rejects(verifyStandard('p'.repeat(32), await one.next()));
  await one.remove();
});

test('the log says which secret signed what, by the ids that the audit log has, and never a secret', async () => {
  const one = await fresh('/log');
  const { json } = await one.change();
  await one.next();
  const list = () => call('GET', `/webhooks/deliveries?registrationId=${one.id}`);
  const { json: page } = await until(
    list,
    ({ json: found }) => found.Items[0]?.State === 'delivered',
  );
  const { json: delivery, text } = await call('GET', `/webhooks/deliveries/${page.Items[0].Id}`);
  assert.deepEqual(delivery.History[0].SignedBy, {
    MsSignature: json.SecretId,
    WebhookSignature: [json.SecretId, json.OldSecrets[0].Id],
  });
  const audit = await call('GET', '/webhooks/audit?limit=1');
  const [entry] = audit.json.Items;
  assert.equal(entry.Change, 'registration secret changed');
  assert.equal(entry.Before.Secret, json.OldSecrets[0].Id);
  assert.equal(entry.After.Secret, json.SecretId);
  for (const shown of [text, audit.text]) {
    assert.ok(!shown.includes(json.Secret) && !shown.includes(OLD));
  }
  await one.remove();
});

test('what is refused after a change says so, since when, and in keys for translators', async () => {
  const one = await fresh('/explained');
  await one.next();
  await one.change();
  receiver.answer = (response) => response.writeHead(401).end();
  await one.next();
  const list = () => call('GET', `/webhooks/deliveries?registrationId=${one.id}`);
  const { json: page } = await until(list, ({ json }) => json.Items[0]?.State === 'exhausted');
  receiver.answer = (response) => response.writeHead(200).end();
  const { json: delivery } = await call('GET', `/webhooks/deliveries/${page.Items[0].Id}`);
  const [first, last] = [delivery.History[0], delivery.History.at(-1)];
  for (const { Sentence, Explanation } of [first, last]) {
    assert.match(
      Sentence,
      /^The receiver answered 401: .* right after the secret of the registration was changed on /,
    );
    assert.deepEqual(
      Explanation.map(({ Key }: { Key: string }) => Key),
      ['http.401', 'since.secret'],
    );
    assert.equal(Explanation[1].Parameters.since, first.StartedAt);
  }
  await one.remove();
});

test('old secrets survive a restart, sealed', async () => {
  const old = 'sealed-old-secret-0123456789abcdef';
  const one = await fresh('/sealed', old);
  const { json } = await one.change();
  await server.stop();
  for (const name of readdirSync(server.folder)) {
    const bytes = readFileSync(join(server.folder, name));
    assert.ok(!bytes.includes(old) && !bytes.includes(json.Secret), name);
  }
  await server.start();
  const got = await one.next();
  await verifyStandard(old, got);
  await verifyStandard(json.Secret, got);
  await one.remove();
});

test('a change that cannot be made says why', async () => {
  const one = await fresh('/refused');
  const cases: [body: object | string, said: RegExp][] = [
    [{ Secret: 'short' }, /between 32 and 64/],
    [{ Secret: OLD }, /is the one that there is/],
    [{ OverlapSeconds: -1 }, /OverlapSeconds/],
    [{ OverlapSeconds: 2_592_001 }, /OverlapSeconds/],
    [{ SwitchAt: 'tomorrow' }, /SwitchAt is a time such as/],
    [{ SwitchAt: '2999-01-01T00:00:00Z' }, /SwitchAt lies after the overlap/],
    [{ Overlap: 5 }, /There is no member 'Overlap'/],
  ];
  for (const [body, said] of cases) {
    const answer = await one.change(body as object);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.text, said);
  }
  assert.equal((await call('POST', '/webhooks/registrations/nope/secret')).status, 404);
  for (let n = 0; n < 4; n += 1) assert.equal((await one.change()).status, 200);
  const full = await one.change();
  assert.equal(full.status, 409);
  assert.match(full.json.Message, /4 old secrets sign/);
  await verifyStandard(OLD, await one.next());
  await one.remove();
});
