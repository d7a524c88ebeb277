import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_HEADERS, refuseHeaders } from './header-rules.ts';

test('credentials and headers of the subscriber’s own are taken', () => {
  const headers: [string, string][] = [
    ['Authorization', 'Bearer abc'],
    ['X-Api-Key', 'abc'],
    ['Ocp-Apim-Subscription-Key', 'abc'],
    ['Content-Language', 'da'],
    ['Accept', 'application/json'],
    ['User-Agent', 'LMS'],
    ['X-List', 'a, b\tc'],
    ['X-Empty', ''],
  ];
  assert.equal(refuseHeaders(headers), undefined);
});

test('headers that would change what a request means are refused by name, in any case', () => {
  const names = [
    'Host',
    'content-length',
    'Content-Type',
    'Content-Encoding',
    'Content-Digest',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'Upgrade',
    'TE',
    'Trailer',
    'Expect',
    'Date',
    'Via',
    'Forwarded',
    'Accept-Encoding',
    'Cookie',
    'HTTP2-Settings',
    'Proxy-Connection',
    'Proxy-Authorization',
    'Sec-Fetch-Site',
    'MS-Signature',
    'webhook-id',
    'webhook-signature',
    'X-Hub-Signature-256',
    'Signature-Input',
    'X-Forwarded-For',
    'X-HTTP-Method-Override',
    'Metadata',
    'Metadata-Flavor',
    'X-aws-ec2-metadata-token-ttl-seconds',
    'x-amz-date',
    'x-goog-user',
    '__proto__',
  ];
  for (const name of names)
    assert.match(refuseHeaders([[name, 'x']]) ?? '', new RegExp(`"${name}"`), name);
});

test('names and values that are none, or that break a line, are refused', () => {
  for (const name of ['', 'X Y', 'X\r\nEvil', 'ħ', 'x:', 'x'.repeat(65)]) {
    assert.notEqual(refuseHeaders([[name, 'x']]), undefined, JSON.stringify(name));
  }
  for (const value of [
    'a\r\nEvil: 1',
    'a\nb',
    'a\rb',
    'a\u0000',
    'aĊb',
    '😀',
    'é',
    ' a',
    'a ',
    'x'.repeat(4097),
  ]) {
    assert.match(
      refuseHeaders([['X-Ok', value]]) ?? '',
      /"X-Ok"/,
      JSON.stringify(value.slice(0, 20)),
    );
  }
});

test('there are limits to how many and how much', () => {
  const many = Array.from({ length: MAX_HEADERS + 1 }, (_, n): [string, string] => [`X-${n}`, 'v']);
  assert.match(refuseHeaders(many) ?? '', /at most 20 headers/);
  const large = Array.from({ length: 3 }, (_, n): [string, string] => [`X-${n}`, 'v'.repeat(4000)]);
  assert.match(refuseHeaders(large) ?? '', /at most 8192 characters together/);
});
