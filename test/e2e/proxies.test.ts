import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { caller, TestServer } from './harness.ts';

const trusting = new TestServer({ trustedProxies: ['127.0.0.0/8'] });
const wary = new TestServer();

before(async () => {
  await Promise.all([trusting.start(), wary.start()]);
});

after(async () => {
  await Promise.all([trusting.end(), wary.end()]);
});

/** Registers through something that says who called, and gives the link and what the audit log has. */
async function registerThrough(server: TestServer, headers: Readonly<Record<string, string>>) {
  const response = await fetch(`${server.running.url}/webhooks/registrations`, {
    method: 'POST',
    headers: {
      ...headers,
      authorization: `Bearer ${server.running.adminKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ WebHookUri: 'https://learning.example/hook?noecho' }),
  });
  assert.equal(response.status, 201, await response.text());
  const admin = caller(server, () => server.running.adminKey);
  const { json } = await admin('GET', '/webhooks/audit?limit=1');
  return { link: response.headers.get('location') ?? '', address: json.Items[0].By.Address };
}

test('a trusted proxy says who calls and by which scheme, and the last it cannot vouch for counts', async () => {
  const { link, address } = await registerThrough(trusting, {
    'x-forwarded-for': '203.0.113.66, 198.51.100.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'attacker.example',
  });
  assert.equal(address, '198.51.100.7');
  assert.ok(link.startsWith(trusting.running.url.replace('http:', 'https:')), link);
});

test('a scheme that is none is not taken into a link', async () => {
  const { link } = await registerThrough(trusting, { 'x-forwarded-proto': 'javascript' });
  assert.ok(link.startsWith(trusting.running.url), link);
});

test('who is not named as a proxy is taken for the caller', async () => {
  const { link, address } = await registerThrough(wary, {
    'x-forwarded-for': '198.51.100.7',
    'x-forwarded-proto': 'https',
  });
  assert.equal(address, '127.0.0.1');
  assert.ok(link.startsWith(wary.running.url), link);
});
