import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSealer, keyIdOf, SealError } from './seal.ts';

const KEY = new Uint8Array(32).fill(7);
const PLACE = { tenant: 'north', owner: 'r1', field: 'Secret' };

test('every text opens as it was sealed', () => {
  const sealer = createSealer([KEY]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(sealer.open(sealer.seal(text, PLACE), PLACE), text);
    }),
  );
});

test('a sealed text with one bit changed does not open', () => {
  const sealer = createSealer([KEY]);
  const [version, keyId, nonce, text] = sealer.seal('a secret', PLACE).split('.');
  const bytes = Buffer.from(text!, 'base64url');
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.integer({ min: 0, max: 7 }),
      (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ (1 << bit);
        const sealed = [version, keyId, nonce, changed.toString('base64url')].join('.');
        assert.throws(() => sealer.open(sealed, PLACE), SealError);
      },
    ),
  );
});

test('a tag that was cut short does not count as a tag', () => {
  const sealer = createSealer([KEY]);
  const [version, keyId, nonce, text] = sealer.seal('', PLACE).split('.');
  const tag = Buffer.from(text!, 'base64url');
  assert.equal(tag.length, 16);
  for (const length of [0, 4, 8, 12, 15]) {
    const cut = [version, keyId, nonce, tag.toString('base64url', 0, length)].join('.');
    assert.throws(() => sealer.open(cut, PLACE), SealError, `${length} bytes`);
  }
});

test('what was never sealed is told from what another key sealed', () => {
  const sealer = createSealer([KEY]);
  const foreign = createSealer([new Uint8Array(32).fill(8)]).seal('x', PLACE);
  assert.throws(() => sealer.open('plain text', PLACE), /Secret is not a sealed text/);
  assert.throws(() => sealer.open(`${foreign}.more`, PLACE), /Secret is not a sealed text/);
  assert.throws(() => sealer.open(foreign, PLACE), /sealed with another key: [0-9a-f]{8}$/);
  assert.match(keyIdOf(KEY), /^[0-9a-f]{8}$/);
});
