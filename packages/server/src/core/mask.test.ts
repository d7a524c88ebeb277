import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hide, maskQuery, sentSecrets } from './mask.ts';

test('values of a query are masked, its names and noecho are not', () => {
  const shown: [uri: string, masked: string][] = [
    ['https://a.example/hook', 'https://a.example/hook'],
    ['https://a.example/hook?', 'https://a.example/hook?'],
    ['https://a.example/hook?noecho', 'https://a.example/hook?noecho'],
    ['https://a.example/hook?NoEcho=1&sig=aB%3D', 'https://a.example/hook?NoEcho=1&sig=****'],
    ['https://a.example/hook?token', 'https://a.example/hook?****'],
    ['https://a.example/hook?a=1=2&&b=', 'https://a.example/hook?a=****&&b=****'],
    ['https://a.example/hook?noechoes=x', 'https://a.example/hook?noechoes=****'],
  ];
  for (const [uri, masked] of shown) assert.equal(maskQuery(uri), masked);
});

test('masking twice is masking once, and no value is left', () => {
  const value = fc.stringMatching(/^[0-9a-z]{8,20}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'sig', 'x'), value)), (pairs) => {
      const query = pairs.map(([name, secret]) => `${name}=${secret}`).join('&');
      const masked = maskQuery(`https://a.example/?${query}`);
      assert.equal(maskQuery(masked), masked);
      for (const [, secret] of pairs) assert.ok(!masked.includes(secret));
    }),
  );
});

test('what a receiver gives back of the credentials it was sent is hidden, as sent and decoded', () => {
  const uri = 'https://a.example/hook?noecho&sig=aB%2Fcdefgh%3D&v=1';
  const secrets = sentSecrets(uri, [
    ['Authorization', 'Bearer token-12345'],
    ['X-Short', 'da'],
  ]);
  const body =
    '{"auth":"Bearer token-12345","token":"token-12345","url":"/hook?sig=aB%2Fcdefgh%3D&v=1","sig":"aB/cdefgh=","v":"1","lang":"da"}';
  assert.equal(
    hide(body, secrets),
    '{"auth":"****","token":"****","url":"/hook?sig=****&v=1","sig":"****","v":"1","lang":"da"}',
  );
  assert.deepEqual(sentSecrets('https://a.example/hook?v=1', []), []);
});
