import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mismatches } from './conditions-explain.ts';
import { LIMITS } from './conditions-limits.ts';
import { readConditions } from './conditions-read.ts';
import { holds, pathsOf } from './conditions.ts';
import { notification, plainly, wanted, write, writeWanted } from './testing/conditions-oracle.ts';
import { MAX_VALUES_READ, PathTree } from './payload-paths.ts';

function found(conditions: string, payload: string) {
  const condition = readConditions(conditions);
  const paths = new PathTree();
  for (const each of pathsOf(condition)) paths.add(each);
  const findings = paths.read(payload);
  return { matches: holds(condition, findings), failed: mismatches(condition, findings) };
}

const matches = (conditions: object, payload: object): boolean =>
  found(JSON.stringify(conditions), JSON.stringify(payload)).matches;

test('conditions hold exactly where the plain rule says so, however the notification is written', () => {
  let held = 0;
  fc.assert(
    fc.property(wanted, notification, fc.constantFrom('', ' ', '\n\t'), (asked, payload, space) => {
      const text = writeWanted(asked);
      fc.pre(isReadable(text));
      const { matches: isMatch, failed } = found(text, write(payload, space));
      held += Number(isMatch);
      assert.equal(isMatch, plainly(asked, payload));
      // What does not match is always explained, and what does needs no explanation.
      assert.equal(failed.length === 0, isMatch);
    }),
    { numRuns: 1000 },
  );
  assert.ok(held > 40, `${held}`);
});

/** Generated conditions may be larger than allowed. */
function isReadable(text: string): boolean {
  try {
    readConditions(text);
    return true;
  } catch (error) {
    assert.match(String(error), /too deep|too long a path|at most/);
    return false;
  }
}

test('the paths of many registrations are read in one walk, and each sees its own', () => {
  const payload =
    '{"Course":{"Id":"c1","Tags":["x",["y"]]},"Users":[{"Id":1},{"Id":2.0}],"n":null}';
  const paths = new PathTree();
  for (const each of ['Course.Id', 'Course.Tags', 'Course', 'Users.Id', 'n', 'Gone', 'Course.Id'])
    paths.add(each);
  const values = (path: string) =>
    paths
      .read(payload)
      .get(path)
      ?.values.map(({ key }) => key);
  assert.deepEqual(values('Course.Id'), ['"c1']);
  assert.deepEqual(values('Course.Tags'), ['"x', '"y']);
  assert.deepEqual(values('Course'), []);
  assert.deepEqual(values('Users.Id'), ['#1e1', '#2e1']);
  assert.deepEqual(values('n'), ['null']);
  assert.equal(values('Gone'), undefined);
  paths.remove('Course');
  paths.remove('Course.Id');
  assert.equal(values('Course'), undefined);
  assert.deepEqual(values('Course.Id'), ['"c1']);
  paths.remove('Course.Id');
  assert.equal(values('Course.Id'), undefined);
  assert.deepEqual(values('Course.Tags'), ['"x', '"y']);
});

test('numbers compare by their exact value, however large', () => {
  const big = (n: string) =>
    found('{"n":[{"numeric":[">",9007199254740992]}]}', `{"n":${n}}`).matches;
  assert.equal(big('9007199254740993'), true);
  assert.equal(big('9007199254740992.0'), false);
  assert.equal(big('1e999999999999999999999'), true);
  assert.equal(big('-1e999999999999999999999'), false);
  assert.equal(big('1e-999999999999999999999'), false);
  assert.equal(big(`0.${'0'.repeat(200_000)}1e200001`), false);
  assert.equal(big(`1${'0'.repeat(200_000)}e-199980`), true);
});

test('a text is not the number that it spells', () => {
  assert.equal(matches({ Id: ['5'] }, { Id: 5 }), false);
  assert.equal(matches({ Id: [5] }, { Id: '5' }), false);
});

test('a suffix is of the text alone, whatever is in it', () => {
  assert.equal(matches({ a: [{ suffix: '"' }] }, { a: '' }), false);
  assert.equal(matches({ a: [{ suffix: '"' }] }, { a: '"' }), true);
});

test('more values at one path than are looked at count as a match, for nothing may be lost', () => {
  const ids = Array.from({ length: MAX_VALUES_READ + 1 }, (_, index) => index);
  assert.equal(matches({ ids: [-1] }, { ids: ids.slice(1) }), false);
  assert.equal(matches({ ids: [-1] }, { ids }), true);
  assert.equal(matches({ ids: [{ exists: false }] }, { ids }), false);
});

test('what cannot be taken is refused with a sentence that names the path', () => {
  const many = (count: number, item: (n: number) => unknown) =>
    Array.from({ length: count }, (_, n) => item(n));
  const wide = (count: number) => Object.fromEntries(many(count, (n) => [`p${n}`, [1]]) as []);
  let deep: object = { x: [1] };
  for (let n = 0; n < LIMITS.depth; n += 1) deep = { d: deep };
  const refused: [conditions: unknown, sentence: RegExp][] = [
    [[], /^Conditions are an object of paths and lists/],
    ['Course.Id', /^Conditions are an object/],
    [{}, /^Conditions is an empty object/],
    [{ Course: {} }, /^"Course" is an empty object/],
    [{ 'Course.Id': 'x' }, /^"Course\.Id" takes a list of what is wanted/],
    [{ Course: { Id: [] } }, /^"Course\.Id" has an empty list/],
    [{ 'Course.Id': [['x']] }, /^"Course\.Id" holds a list within its list/],
    [{ 'Course..Id': ['x'] }, /^"Course\.\.Id" is not a path/],
    [{ '': ['x'] }, /^"" is not a path/],
    [{ $and: [{ a: [1] }] }, /^"\$and" is not known\. There is \$or/],
    [{ 'a.$or': [{ b: [1] }] }, /^"\$or" is not known/],
    [{ $or: { a: [1] } }, /^"\$or" takes a list of objects/],
    [{ a: { $or: [1] } }, /^"a\.\$or" takes a list of objects/],
    [{ $or: [] }, /^"\$or" is empty/],
    [{ a: [{ wildcard: 'x*' }] }, /^"a" has an unknown test "wildcard"; known are prefix, suffix/],
    [{ a: [{}] }, /^"a" has an empty object; known tests/],
    [{ a: [{ prefix: 'x', suffix: 'y' }] }, /^"a" has an object with more than one test/],
    [{ a: [{ prefix: '' }] }, /^"a" takes a text of 1 to 1024 characters for prefix/],
    [{ a: [{ suffix: 5 }] }, /^"a" takes a text of 1 to 1024 characters for suffix/],
    [{ a: [{ exists: 'yes' }] }, /^"a" takes true or false for exists/],
    [{ a: [{ numeric: 5 }] }, /^"a" takes one comparison for numeric/],
    [{ a: [{ numeric: [] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>'] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['constructor', 1] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>', '1'] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>', 1, '>', 2] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>', 2, '<', 1] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>', 1, '<=', 1] }] }, /^"a" takes one comparison/],
    [{ a: [{ numeric: ['>', 1, '<', 9, '<', 3] }] }, /^"a" takes one comparison/],
    [{ a: [{ 'anything-but': [] }] }, /^"a" has an anything-but with an empty list/],
    [{ a: [{ 'anything-but': {} }] }, /^"a" has an anything-but with an empty object/],
    [{ a: [{ 'anything-but': { numeric: ['<', 1] } }] }, /^"a" has an anything-but with "numeric"/],
    [{ a: [{ 'anything-but': [['x']] }] }, /^"a" takes texts, numbers, true, false and null/],
    [{ a: ['x'.repeat(LIMITS.text)] }, /^"a" has a text of more than 1024 characters/],
    [{ a: [1, { numeric: ['>', 1] }], [`b.${'x'.repeat(129)}`]: [1] }, /128 characters/],
    [deep, /lies too deep: at most 8 levels/],
    [{ [many(17, () => 'x').join('.')]: [1] }, /is too long a path: at most 16 names/],
    [wide(51), /^Conditions name at most|^Conditions take at most 50 paths/],
    [{ a: many(501, (n) => n) }, /^Conditions take at most 500 values/],
    [{ a: many(21, (n) => ({ prefix: `x${n}` })) }, /^Conditions take at most 20 tests/],
    [{ $or: many(21, () => ({ a: [1] })) }, /^"\$or" takes at most 20 objects/],
    [{ a: many(17, () => 'x'.repeat(1000)) }, /^Conditions take at most 16384 characters/],
  ];
  for (const [conditions, sentence] of refused) {
    const text = JSON.stringify(conditions);
    assert.throws(
      () => readConditions(text),
      { name: 'ConditionsError', message: sentence },
      text.slice(0, 99),
    );
  }
  const asText: [text: string, sentence: RegExp][] = [
    ['{"a":[1],"a":[2]}', /^"a" stands twice/],
    ['{"a":[1e500]}', /^"a" has a number of more than 64 characters, or beyond 10 to the power/],
    [`{"a":[0.${'1'.repeat(70)}]}`, /^"a" has a number/],
    ['{"a":[{"numeric":[">",1e500]}]}', /^"a" has a number/],
    ['{"a\\u202ee":"x"}', /^"a e" takes a list/],
  ];
  for (const [text, sentence] of asText)
    assert.throws(() => readConditions(text), { name: 'ConditionsError', message: sentence }, text);
});

test('a mismatch names what is there and what is wanted', () => {
  const failed = (conditions: object, payload: object) =>
    found(JSON.stringify(conditions), JSON.stringify(payload)).failed;
  assert.deepEqual(failed({ 'Course.Id': ['c1', { prefix: 'c2' }] }, { Course: { Id: 'x' } }), [
    { path: 'Course.Id', sentence: '"Course.Id" is "x"; wanted is "c1" or {"prefix":"c2"}.' },
  ]);
  assert.deepEqual(failed({ Course: { Id: ['c1'] } }, {}), [
    { path: 'Course.Id', sentence: '"Course.Id" is not in the notification; wanted is "c1".' },
  ]);
  const users = { Users: Array.from({ length: 8 }, (_, n) => ({ Id: n })) };
  assert.deepEqual(failed({ 'Users.Id': ['4'], Users: [1] }, users), [
    { path: 'Users.Id', sentence: '"Users.Id" is 0, 1, 2, 3, 4 and 3 others; wanted is "4".' },
    {
      path: 'Users',
      sentence: '"Users" holds no text, number, true, false or null of its own; wanted is 1.',
    },
  ]);
  assert.deepEqual(failed({ $or: [{ a: [1] }, { b: [2] }] }, { a: 3 }), [
    {
      path: '$or',
      sentence:
        'None of 2 holds: "a" is 3; wanted is 1. "b" is not in the notification; wanted is 2.',
    },
  ]);
});

test('hostile texts stay short and plain in a mismatch', () => {
  const [failed] = found(
    '{"a":["x"]}',
    JSON.stringify({ a: `\u202e\n\u0000${'y'.repeat(9999)}` }),
  ).failed;
  assert.ok((failed?.sentence.length ?? 0) < 200);
  assert.doesNotMatch(failed?.sentence ?? '', /[\p{C}]/u);
});
