import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changeSecret as secretsAfter, type SecretChange, signingAt } from './secrets.ts';

const first = { secret: 'a', secretId: '#a', oldSecrets: [] };
const change = (to: string, now: number, overlapMs: number, switchAt = now) => ({
  secret: to,
  now,
  overlapMs,
  switchAt,
});
type Secrets = Parameters<typeof signingAt>[0];

/** With the name that whoever stores the secret gives it. */
const changeSecret = (secrets: Secrets, to: SecretChange): Secrets => ({
  ...secretsAfter(secrets, to),
  secretId: `#${to.secret}`,
});
const at = (secrets: Secrets, now: number): [string, string] => {
  const { ms, standard } = signingAt(secrets, now);
  return [ms.secret, standard.map(({ secret }) => secret).join('')];
};

test('both secrets sign until the overlap ends, and ms-signature switches at its moment', () => {
  const changed = changeSecret(first, change('b', 100, 50, 120));
  assert.deepEqual(at(changed, 100), ['a', 'ba']);
  assert.deepEqual(at(changed, 119), ['a', 'ba']);
  assert.deepEqual(at(changed, 120), ['b', 'ba']);
  assert.deepEqual(at(changed, 149), ['b', 'ba']);
  assert.deepEqual(at(changed, 150), ['b', 'b']);
});

test('a change during an overlap leaves the first secret its time, and ms-signature what signs it', () => {
  const twice = changeSecret(
    changeSecret(first, change('b', 100, 50, 120)),
    change('c', 110, 100, 200),
  );
  assert.deepEqual(at(twice, 110), ['a', 'cba']);
  assert.deepEqual(at(twice, 150), ['a', 'cba']);
  assert.deepEqual(at(twice, 200), ['c', 'cb']);
  assert.deepEqual(at(twice, 210), ['c', 'c']);
});

test('no overlap ends all old secrets at once, and an old one can come back', () => {
  const changed = changeSecret(first, change('b', 100, 50, 140));
  assert.deepEqual(at(changeSecret(changed, change('c', 110, 0)), 110), ['c', 'c']);
  const back = changeSecret(changed, change('a', 110, 50));
  assert.deepEqual(at(back, 110), ['a', 'ab']);
  assert.deepEqual(at(back, 160), ['a', 'a']);
});

test('after any changes the newest signs, none twice, and each old one for its overlap at least', () => {
  const step = fc.record({
    to: fc.constantFrom('a', 'b', 'c', 'd'),
    wait: fc.nat(60),
    overlap: fc.nat(100),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let secrets: Secrets = first;
      let now = 0;
      let owed = new Map<string, number>();
      for (const { to, wait, overlap, share } of steps) {
        now += wait;
        if (to === secrets.secret) continue;
        const signed = signingAt(secrets, now).ms.secret;
        const switchAt = now + Math.floor(overlap * share);
        owed.set(secrets.secret, now + overlap);
        if (overlap === 0) owed = new Map();
        owed.delete(to);
        secrets = changeSecret(secrets, change(to, now, overlap, switchAt));
        // What signed ms-signature goes on until the switch.
        if (switchAt > now && signed !== to)
          assert.equal(signingAt(secrets, switchAt - 1).ms.secret, signed);
        assert.equal(signingAt(secrets, switchAt).ms.secret, to);
        const signing = signingAt(secrets, now).standard.map(({ secret }) => secret);
        assert.equal(signing[0], to);
        assert.equal(new Set(signing).size, signing.length);
        for (const [secret, until] of owed) {
          if (until > now) assert.ok(signing.includes(secret), `${secret} still signs`);
        }
      }
    }),
    { numRuns: 500 },
  );
});
