import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../core/errors.ts';
import { FailureLimiter } from './failure-limiter.ts';

/** How many of so many failures were counted before one was refused. */
function counted(
  limiter: FailureLimiter,
  tries: number,
  of: (n: number) => [string, string],
): number {
  for (let n = 0; n < tries; n += 1) {
    try {
      limiter.failed(...of(n));
    } catch (error) {
      assert.ok(error instanceof AppError && error.status === 429);
      assert.ok((error.detail.retryAfterSeconds ?? 0) >= 1);
      return n;
    }
  }
  return tries;
}

test('an address that tries ever new keys is refused after ten, for a minute', () => {
  let now = 1000;
  const limiter = new FailureLimiter(() => now);
  const guess = (n: number): [string, string] => ['192.0.2.1', `guess ${n}`];
  assert.equal(counted(limiter, 20, guess), 10);
  assert.equal(
    counted(limiter, 5, (n) => ['192.0.2.2', `other ${n}`]),
    5,
    'another address',
  );
  now += 59_000;
  assert.equal(
    counted(limiter, 1, () => ['192.0.2.1', 'late']),
    0,
  );
  now += 1001;
  assert.equal(
    counted(limiter, 20, (n) => ['192.0.2.1', `again ${n}`]),
    10,
  );
});

test('one key that comes from ever new addresses is refused after ten', () => {
  const limiter = new FailureLimiter(() => 0);
  assert.equal(
    counted(limiter, 20, (n) => [`198.51.100.${n}`, 'revoked']),
    10,
  );
});

test('the addresses of one IPv6 network count as one, a mapped IPv4 as itself', () => {
  const limiter = new FailureLimiter(() => 0);
  assert.equal(
    counted(limiter, 20, (n) => [`2001:db8:1:2:${n}::1`, `k${n}`]),
    10,
  );
  assert.equal(
    counted(limiter, 5, (n) => [`2001:db8:1:3::${n}`, `m${n}`]),
    5,
  );
  assert.equal(
    counted(limiter, 20, (n) => [n % 2 ? '::ffff:192.0.2.9' : '192.0.2.9', `n${n}`]),
    10,
  );
});

test('what is remembered is bounded, and who keeps trying is not forgotten for those who came once', () => {
  const limiter = new FailureLimiter(() => 0);
  assert.equal(
    counted(limiter, 9, (n) => ['192.0.2.1', `k${n}`]),
    9,
  );
  for (let n = 0; n < 4000; n += 1) limiter.failed(`10.${n >> 8}.${n & 255}.1`, `once ${n}`);
  assert.equal(
    counted(limiter, 2, (n) => ['192.0.2.1', `l${n}`]),
    1,
  );
  for (let n = 0; n < 20_000; n += 1) limiter.failed(`11.${n >> 8}.${n & 255}.1`, `twice ${n}`);
  assert.ok(limiter.size <= 10_000, String(limiter.size));
});
