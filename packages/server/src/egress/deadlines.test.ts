import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Deadlines, type Timed } from './deadlines.ts';

function timed(name: string, expired: string[]): Timed {
  return {
    expire: () => expired.push(name),
    cancel: () => expired.push(`${name} cancelled`),
    expiresAt: 0,
    before: undefined,
    behind: undefined,
  };
}

/** The clock and the interval that deadlines live by. */
function fakeTime(t: TestContext): (ms: number) => void {
  let now = 0;
  t.mock.timers.enable({ apis: ['setInterval'] });
  t.mock.method(performance, 'now', () => now);
  return (ms) => {
    now += ms;
    t.mock.timers.tick(ms);
  };
}

test('calls those whose time has come, in order, and none that was removed', (t) => {
  const pass = fakeTime(t);
  const expired: string[] = [];
  const deadlines = new Deadlines(1000);
  const [a, b, c, d] = [
    timed('a', expired),
    timed('b', expired),
    timed('c', expired),
    timed('d', expired),
  ];
  for (const each of [a, b, c]) deadlines.add(each);
  pass(500);
  deadlines.add(d);
  deadlines.remove(b);
  assert.deepEqual(expired, []);
  pass(600);
  assert.deepEqual(expired, ['a', 'c']);
  pass(500);
  assert.deepEqual(expired, ['a', 'c', 'd']);
});

test('starts again after it ran empty, and takes back what was removed', (t) => {
  const pass = fakeTime(t);
  const expired: string[] = [];
  const deadlines = new Deadlines(1000);
  const [a, b] = [timed('a', expired), timed('b', expired)];
  deadlines.add(a);
  deadlines.remove(a);
  pass(5000);
  deadlines.add(b);
  deadlines.add(a);
  deadlines.remove(b);
  pass(1200);
  assert.deepEqual(expired, ['a']);
});

test('lets a deadline that passes remove others that have passed too', (t) => {
  const pass = fakeTime(t);
  const expired: string[] = [];
  const deadlines = new Deadlines(1000);
  const second = timed('second', expired);
  const first: Timed = { ...timed('first', expired), expire: () => deadlines.remove(second) };
  deadlines.add(first);
  deadlines.add(second);
  pass(2000);
  assert.deepEqual(expired, []);
});

test('cancels what is left when it closes', (t) => {
  const pass = fakeTime(t);
  const expired: string[] = [];
  const deadlines = new Deadlines(1000);
  deadlines.add(timed('a', expired));
  deadlines.close();
  pass(5000);
  assert.deepEqual(expired, ['a cancelled']);
});
