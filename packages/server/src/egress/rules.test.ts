import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { refuseAddress } from './address.ts';
import { ALLOW_NOTHING, allowsAddress, parseAllow } from './allow.ts';
import { hasNoEcho } from './echo.ts';
import { checkUri } from './uri.ts';

type Entry = {
  readonly id: string;
  readonly url: string;
  readonly expect: string;
  readonly stage: string;
  readonly why: string;
};

const corpus = JSON.parse(
  readFileSync(new URL('../../../../test/hostile/data/ssrf-corpus.json', import.meta.url), 'utf8'),
) as readonly Entry[];

test('every URI of the corpus that must be refused by its text is, and every other is taken', (t) => {
  const judged = corpus.filter(({ stage, expect }) => stage === 'register' || expect === 'allow');
  const wrong = judged.filter(
    ({ url, expect }) => checkUri(url, ALLOW_NOTHING).ok !== (expect === 'allow'),
  );
  t.diagnostic(`${judged.length} URIs judged, ${wrong.length} differing`);
  assert.deepEqual(
    wrong.map(({ id, url, why }) => `${id} ${url}: ${why}`),
    [],
  );
});

test('both edges of every range of private addresses are refused, and their neighbours are not', () => {
  const refused = [
    '0.0.0.0',
    '0.255.255.255',
    '10.0.0.0',
    '10.255.255.255',
    '100.64.0.0',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.0.0',
    '169.254.255.255',
    '172.16.0.0',
    '172.31.255.255',
    '192.0.0.0',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.0',
    '192.168.255.255',
    '198.18.0.0',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.0',
    '239.255.255.255',
    '240.0.0.0',
    '255.255.255.255',
    '168.63.129.16',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '::7f00:1',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::1',
    '3fff::1',
    '4000::1',
    '2606:4700::5efe:7f00:1',
  ];
  const taken = [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '168.63.129.15',
    '2606:4700:4700::1111',
    '2a00:1450:4001::1',
  ];
  for (const address of refused) assert.notEqual(refuseAddress(address), undefined, address);
  for (const address of taken) assert.equal(refuseAddress(address), undefined, address);
});

test('no spelling of a private IPv4 address is taken as a host', () => {
  const octet = fc.nat(255);
  const spell: ((parts: number[]) => string)[] = [
    (p) => p.join('.'),
    (p) => String(((p[0]! * 256 + p[1]!) * 256 + p[2]!) * 256 + p[3]!),
    (p) => `0x${p.map((part) => part.toString(16).padStart(2, '0')).join('')}`,
    (p) => p.map((part) => `0${part.toString(8)}`).join('.'),
    (p) => p.map((part) => `0x${part.toString(16)}`).join('.'),
    (p) => `${p[0]}.${(p[1]! * 256 + p[2]!) * 256 + p[3]!}`,
    (p) => `${p.join('.')}.`,
    (p) => `[::ffff:${p.join('.')}]`,
    (p) => `[::${p.join('.')}]`,
    (p) => `[64:ff9b::${p.join('.')}]`,
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(10, 127, 0),
      octet,
      octet,
      octet,
      fc.constantFrom(...spell),
      (a, b, c, d, write) => {
        assert.equal(checkUri(`http://${write([a, b, c, d])}/`, ALLOW_NOTHING).ok, false);
      },
    ),
    { numRuns: 2000 },
  );
});

test('no text makes the rules throw, and what they take the URL parser reads as the same place', () => {
  const part = fc.oneof(
    fc.string(),
    fc.webUrl(),
    fc.constantFrom('http://', '@', '\\', '[::1]', '%2f', '#', ':80', '\t'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const text = parts.join('');
      const verdict = checkUri(text, ALLOW_NOTHING);
      if (verdict.ok)
        assert.equal(new URL(text).hostname.replace(/^\[|\]$/g, ''), verdict.target.hostname);
    }),
    { numRuns: 3000 },
  );
});

test('path and query go on the wire as written, but for dots and needless escapes', () => {
  const path = (uri: string): string => {
    const verdict = checkUri(uri, ALLOW_NOTHING);
    return verdict.ok ? verdict.target.path : verdict.rule;
  };
  assert.equal(path('https://a.example/x?sig=%2Fa%3D&x=%20y&z=%41'), '/x?sig=%2Fa%3D&x=%20y&z=%41');
  assert.equal(path('https://a.example/a/../ok/./b'), '/ok/b');
  assert.equal(path('https://a.example/%C3%A6%2F%41%7e'), '/%C3%A6%2FA~');
  assert.equal(path('https://a.example/æ'), '/%C3%A6');
  assert.equal(path('https://a.example'), '/');
});

test('an operator opens networks, addresses and names, each with or without a port', () => {
  const allow = parseAllow(
    ['10.1.0.0/16', '192.168.1.5:8443', 'intranet', 'host.example:8080', '[fd00::1]:443'],
    false,
  );
  const isTaken = (uri: string): boolean => checkUri(uri, allow).ok;
  assert.ok(isTaken('http://10.1.2.3:9999/'));
  assert.ok(!isTaken('http://10.2.0.1/'));
  assert.ok(isTaken('https://192.168.1.5:8443/'));
  assert.ok(!isTaken('https://192.168.1.5/'));
  assert.ok(isTaken('http://intranet/hook'));
  assert.ok(!isTaken('http://other/hook'));
  assert.ok(isTaken('https://[fd00::1]/'));
  assert.ok(allowsAddress(allow, { address: '127.0.0.1', port: 80, byName: true }));
  assert.ok(!allowsAddress(allow, { address: '169.254.169.254', port: 80, byName: true }));
  for (const entry of [
    '10.0.0.0/33',
    'a b',
    '',
    'http://x',
    '10.0.0/8',
    '300.1.1.1',
    'a.example:70000',
    '10.0.0.1:0',
  ])
    assert.throws(() => parseAllow([entry], false), RangeError, entry);
});

test('metadata addresses need an option of their own', () => {
  const networks = ['169.254.0.0/16'];
  assert.equal(checkUri('http://169.254.169.254/', parseAllow(networks, false)).ok, false);
  assert.equal(checkUri('http://169.254.169.254/', parseAllow(networks, true)).ok, true);
});

test('an allowed place opens ports of other services only where it names them', () => {
  const allow = parseAllow(['10.1.0.0/16', '10.2.0.1:5432', 'intranet', 'database:6379'], false);
  const rule = (uri: string): string => {
    const verdict = checkUri(uri, allow);
    return verdict.ok ? 'taken' : verdict.rule;
  };
  for (const uri of ['http://10.1.0.1/', 'http://10.1.0.1:9000/', 'http://intranet:8080/'])
    assert.equal(rule(uri), 'taken', uri);
  for (const uri of ['http://10.1.0.1:22/', 'http://10.1.0.1:5432/', 'http://intranet:6379/'])
    assert.equal(rule(uri), 'port', uri);
  for (const uri of ['http://10.2.0.1:5432/', 'http://database:6379/'])
    assert.equal(rule(uri), 'taken', uri);
});

test('an operator’s list of ports holds for every place but those that are allowed themselves', () => {
  const allow = { ...parseAllow(['10.1.0.0/16', 'intranet'], false), ports: new Set([443, 8443]) };
  for (const uri of ['https://a.example/', 'https://1.1.1.1:8443/', 'http://10.1.0.1:9000/'])
    assert.ok(checkUri(uri, allow).ok, uri);
  assert.ok(checkUri('http://intranet:9000/', allow).ok);
  for (const uri of ['http://a.example/', 'https://a.example:9000/', 'http://1.1.1.1/'])
    assert.deepEqual(checkUri(uri, allow), {
      ok: false,
      rule: 'port not allowed',
      sentence: 'The port of the WebHook URI is not one that this installation sends to.',
    });
});

test('the place that this service is reached at is refused, unless the operator names it', () => {
  const own = 'hooks.school.example:443';
  const rule = (uri: string, entries: string[] = []): string => {
    const verdict = checkUri(uri, { ...parseAllow(entries, false), own });
    return verdict.ok ? 'taken' : verdict.rule;
  };
  for (const uri of [
    'https://hooks.school.example/webhooks/events',
    'https://HOOKS.school.example:443/',
    'https://hooks.school.example./',
  ])
    assert.equal(rule(uri), 'own', uri);
  for (const uri of ['https://hooks.school.example:8443/', 'https://school.example/'])
    assert.equal(rule(uri), 'taken', uri);
  assert.equal(rule('https://hooks.school.example/', ['hooks.school.example:443']), 'taken');
});

test('an opened NAT64 prefix leads only to what is open behind it', () => {
  const open = (
    address: string,
    allow = parseAllow(['64:ff9b::/96', '10.1.0.0/16'], false),
  ): boolean => allowsAddress(allow, { address, port: 443, byName: false });
  assert.ok(open('64:ff9b::1.1.1.1'));
  assert.ok(open('64:ff9b::10.1.0.1'));
  assert.ok(!open('64:ff9b::10.2.0.1'));
  assert.ok(!open('64:ff9b::169.254.169.254'));
  assert.ok(!open('64:ff9b::1.1.1.1', ALLOW_NOTHING));
});

test('noecho is a parameter by that name, however it is written', () => {
  for (const query of ['noecho', 'noecho=', 'NOECHO=x', 'code=1&noecho', '%6Eoecho=1'])
    assert.ok(hasNoEcho(`http://x/?${query}`), query);
  for (const query of ['', 'xnoecho=1', 'x=noecho', 'NoEcho%3D', '%'])
    assert.ok(!hasNoEcho(`http://x/?${query}`), query);
});
