import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { ALLOW_NOTHING } from '../../packages/server/src/egress/allow.ts';
import { vet } from '../../packages/server/src/egress/dial.ts';
import { createResolver } from '../../packages/server/src/egress/resolver.ts';
import {
  type DnsAnswer,
  type DnsServer,
  dnsServer,
} from '../../packages/server/src/egress/testing/dns-server.ts';
import { brief, openEgress, post } from '../../packages/server/src/egress/testing/open-egress.ts';
import {
  answers,
  closeServers,
  plain,
  rawServer,
} from '../../packages/server/src/egress/testing/raw-server.ts';
import { checkUri } from '../../packages/server/src/egress/uri.ts';

const servers: DnsServer[] = [];
after(async () => {
  for (const server of servers) server.close();
  await closeServers();
});

async function nameServer(answer: (name: string, type: string) => DnsAnswer): Promise<DnsServer> {
  const server = await dnsServer(answer);
  servers.push(server);
  return server;
}

const resolverOf = (server: DnsServer): ReturnType<typeof createResolver> =>
  createResolver({ servers: [server.at], timeoutMs: 500 });

/** What an attempt may dial for a name of which a name server says this; the outcome where it may not. */
async function vetted(answer: DnsAnswer): Promise<readonly string[] | string> {
  const server = await nameServer(() => answer);
  const verdict = checkUri('https://receiver.example.com/', ALLOW_NOTHING);
  assert.ok(verdict.ok);
  const options = {
    allow: ALLOW_NOTHING,
    resolve: resolverOf(server),
    connectTimeoutMs: 2000,
    extraCa: [],
    isOwn: () => false,
  };
  return vet(verdict.target, options).catch(
    ({ outcome }: { outcome: { kind: string; rule?: string } }) =>
      outcome.kind === 'blocked' ? `blocked: ${outcome.rule}` : outcome.kind,
  );
}

test('names that nobody answers for keep no other waiting, nor do busy threads (R013)', async () => {
  const server = await nameServer((name) =>
    name.startsWith('silent') ? { isSilent: true } : { A: ['93.184.216.34'] },
  );
  const resolve = resolverOf(server);
  const silent = Array.from({ length: 100 }, (_, index) => resolve(`silent${index}.example.com`));
  const settled = Promise.allSettled(silent);
  const busy = Array.from({ length: 8 }, () =>
    promisify(pbkdf2)('password', 'salt', 400_000, 64, 'sha512').then(() => 'a thread'),
  );
  const found = resolve('good.example.com').then(() => 'the name');
  assert.equal(await Promise.race([...busy, found, settled.then(() => 'the silent')]), 'the name');
  await Promise.all([...busy, settled]);
});

test('an answer of a thousand addresses is judged whole, and eight are dialled (R014)', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => `93.184.${index >> 8}.${index & 255}`);
  assert.deepEqual(await vetted({ A: many }), many.slice(0, 8));
  assert.equal(await vetted({ A: [...many, '10.0.0.1'] }), 'blocked: not public');
});

test('a bad address in either family refuses the other', async () => {
  assert.equal(await vetted({ A: ['93.184.216.34'], AAAA: ['::1'] }), 'blocked: not public');
  assert.equal(
    await vetted({ A: ['169.254.169.254'], AAAA: ['2606:4700:4700::1111'] }),
    'blocked: metadata',
  );
});

for (const [form, address] of [
  ['IPv4-mapped', '::ffff:10.0.0.1'],
  ['IPv4-mapped and public', '::ffff:8.8.8.8'],
  ['IPv4-compatible', '::7f00:1'],
  ['SIIT', '::ffff:0:127.0.0.1'],
  ['NAT64', '64:ff9b::10.0.0.1'],
  ['NAT64 of local use', '64:ff9b:1::10.0.0.1'],
  ['6to4', '2002:0a00:0001::1'],
  ['Teredo', '2001:0:4136:e378:8000:63bf:f5ff:fffe'],
  ['ISATAP', '2606:4700::200:5efe:a00:1'],
  ['ORCHID', '2001:20::1'],
  ['site-local', 'fec0::1'],
  ['discard-only', '100::1'],
  ['segment routing', '5f00::1'],
] as const) {
  test(`an AAAA record with ${form} (${address}) is no way in`, async () => {
    assert.match(String(await vetted({ AAAA: [address] })), /^blocked: /);
  });
}

test('a chain of names is judged by the addresses at its end (R015)', async () => {
  const chain = Array.from({ length: 50 }, (_, index) => `c${index}.example.net`);
  assert.equal(
    await vetted({ CNAME: [...chain, 'metadata.google.internal'], A: ['169.254.169.254'] }),
    'blocked: metadata',
  );
  assert.equal(await vetted({ CNAME: ['localhost'], A: ['127.0.0.1'] }), 'blocked: not public');
  assert.equal(await vetted({ CNAME: ['localhost'] }), 'dns_error');
  assert.equal(await vetted({ CNAME: ['a.example.net', 'receiver.example.com'] }), 'dns_error');
});

test('a name server that fails is no reason to go on (R011)', async () => {
  for (const rcode of ['NXDOMAIN', 'SERVFAIL', 'REFUSED', 'FORMERR'] as const)
    assert.equal(await vetted({ rcode }), 'dns_error', rcode);
  assert.equal(await vetted({}), 'dns_error');
});

test('a name is asked for once an attempt, however short-lived its addresses are (R017)', async () => {
  const server = await nameServer(() => ({ A: ['127.0.0.1'] }));
  const receiver = await rawServer(answers(plain(500, '', 'Connection: close\r\n')));
  const egress = openEgress({ resolve: resolverOf(server) });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    assert.equal(brief(await egress.send(post(`http://receiver.test:${receiver.port}/`))), '500');
    const expected = Array.from({ length: attempt }, () => 'receiver.test A').toSorted();
    assert.deepEqual(
      server.asked.filter((asked) => asked.endsWith(' A')),
      expected,
    );
  }
  await egress.close();
});
