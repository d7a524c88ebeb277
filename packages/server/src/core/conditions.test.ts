import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mismatches } from './conditions-explain.ts';
import { LIMITS } from './conditions-limits.ts';
import { readConditions } from './conditions-read.ts';
import { holds, pathsOf } from './conditions.ts';
import { MAX_VALUES_READ, PathTree } from './payload-paths.ts';

/** JSON as a tree that keeps duplicates and how numbers are written. */
type Tree =
  | { kind: 'word'; text: 'true' | 'false' | 'null' }
  | { kind: 'number'; text: string }
  | { kind: 'string'; value: string }
  | { kind: 'list'; items: Tree[] }
  | { kind: 'object'; members: [string, Tree][] };

/** White space and escapes as a publisher may write them. */
function write(tree: Tree, space: string): string {
  const name = (text: string): string =>
    space === '' ? JSON.stringify(text) : `"${[...text].map(escaped).join('')}"`;
  switch (tree.kind) {
    case 'string':
      return name(tree.value);
    case 'list':
      return `[${space}${tree.items.map((item) => write(item, space)).join(`${space},${space}`)}${space}]`;
    case 'object':
      return `{${space}${tree.members
        .map(([key, value]) => `${name(key)}${space}:${space}${write(value, space)}`)
        .join(`${space},${space}`)}${space}}`;
    default:
      return tree.text;
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The rule as plainly as it can be said: what stands at a path, through lists. */
function at(tree: Tree, path: readonly string[]): { isThere: boolean; values: Tree[] } {
  if (tree.kind === 'list') {
    const each = tree.items.map((item) => at(item, path));
    return {
      isThere: path.length === 0 || each.some(({ isThere }) => isThere),
      values: each.flatMap(({ values }) => values),
    };
  }
  const [name, ...rest] = path;
  if (name === undefined) return { isThere: true, values: tree.kind === 'object' ? [] : [tree] };
  const members = tree.kind === 'object' ? tree.members.filter(([key]) => key === name) : [];
  const each = members.map(([, value]) => at(value, rest));
  return {
    isThere: each.some(({ isThere }) => isThere),
    values: each.flatMap(({ values }) => values),
  };
}

/** Conditions as JavaScript values; numbers as `[text]` boxes, so that they keep their digits. */
type Wanted = { readonly [member: string]: unknown };

function plainly(wanted: Wanted, tree: Tree, around: readonly string[] = []): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    if (key === '$or') return (value as Wanted[]).some((part) => plainly(part, tree, around));
    const path = [...around, ...key.split('.')];
    if (!Array.isArray(value)) return plainly(value as Wanted, tree, path);
    const { isThere, values } = at(tree, path);
    return value.some((one: unknown) => {
      if (isTest(one) && 'exists' in one) return one['exists'] === isThere;
      return values.some((found) => accepts(one, found));
    });
  });
}

function isTest(one: unknown): one is Wanted {
  return typeof one === 'object' && one !== null && !(one instanceof Numeral);
}

/** A number as it is written. */
class Numeral {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function accepts(one: unknown, found: Tree): boolean {
  if (one instanceof Numeral)
    return found.kind === 'number' && compare(found.text, one.text) === 0n;
  if (!isTest(one)) {
    if (found.kind === 'string') return found.value === one;
    return found.kind === 'word' && found.text === String(one) && typeof one !== 'string';
  }
  const [[kind, argument] = ['', null]] = Object.entries(one);
  const text = found.kind === 'string' ? found.value : null;
  if (kind === 'prefix') return text?.startsWith(argument as string) ?? false;
  if (kind === 'suffix') return text?.endsWith(argument as string) ?? false;
  if (kind === 'equals-ignore-case')
    return text?.toLowerCase() === (argument as string).toLowerCase();
  if (kind === 'anything-but') {
    if (!isTest(argument) || Array.isArray(argument))
      return ![argument].flat().some((each) => accepts(each, found));
    const [[inner, texts] = ['', '']] = Object.entries(argument);
    return ![texts].flat().some((each) => accepts({ [inner]: each }, found));
  }
  const bounds = argument as (string | Numeral)[];
  return (
    found.kind === 'number' &&
    bounds.every((bound, index) => {
      const than = bounds[index + 1];
      if (!(than instanceof Numeral)) return true;
      const order = compare(found.text, than.text);
      const signs: Record<string, boolean> = {
        '<': order < 0n,
        '>': order > 0n,
        '=': order === 0n,
      };
      return [...(bound as string)].some((sign) => signs[sign]);
    })
  );
}

/** By whole numbers: both times 10 to the power of 40. */
function compare(one: string, other: string): bigint {
  return scaled(one) - scaled(other);
}

function scaled(text: string): bigint {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const sign = whole.startsWith('-') ? -1n : 1n;
  const digits = BigInt(whole.replace('-', '') + fraction);
  return sign * digits * 10n ** BigInt(40 + Number(power) - fraction.length);
}

const name = fc.constantFrom('a', 'b', 'Id', 'é"\\', '__proto__');
const word = fc.constantFrom('', 'x', 'X', 'Web', 'WebX', 'xWeb', '5', 'true', '"', 'İ', '\ud800');
const numeral = fc.constantFrom(
  ...['0', '-0', '0.0', '0e9', '5', '5.0', '50e-1', '0.5e1', '-5', '5.1', '500', '5e2'],
  ...['12345678901234567890', '12345678901234567891', '1.2345678901234567890e19', '1e-20'],
);
const scalar = fc.oneof(
  word.map((value): Tree => ({ kind: 'string', value })),
  numeral.map((text): Tree => ({ kind: 'number', text })),
  fc.constantFrom('true', 'false', 'null').map((text): Tree => ({ kind: 'word', text })),
);
const { tree } = fc.letrec<{ tree: Tree; object: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }).map((items): Tree => ({ kind: 'list', items })),
    tie('object'),
  ),
  object: fc
    .array(fc.tuple(name, tie('tree')), { maxLength: 4 })
    .map((members): Tree => ({ kind: 'object', members })),
}));
const notification = fc
  .array(fc.tuple(name, tree), { maxLength: 5 })
  .map((members): Tree => ({ kind: 'object', members }));

const filled = word.filter((text) => text !== '');
const number = numeral.map((text) => new Numeral(text));
const plain: fc.Arbitrary<unknown> = fc.oneof(word, number, fc.constantFrom(true, false, null));
const textTest = fc
  .tuple(fc.constantFrom('prefix', 'suffix', 'equals-ignore-case'), filled)
  .map(([kind, text]) => ({ [kind]: text }));
const range = fc
  .tuple(fc.constantFrom('>', '>='), number, fc.constantFrom('<', '<='), number)
  .filter(([, low, , high]) => compare(low.text, high.text) < 0n);
const wantedValue: fc.Arbitrary<unknown> = fc.oneof(
  plain,
  textTest,
  fc.boolean().map((exists) => ({ exists })),
  fc
    .oneof(plain, fc.array(plain, { minLength: 1, maxLength: 3 }), textTest)
    .map((but) => ({ 'anything-but': but })),
  fc
    .oneof(
      fc.tuple(fc.constantFrom('<', '<=', '=', '>=', '>'), number),
      range,
      range.map(([low, than, high, limit]) => [high, limit, low, than]),
    )
    .map((numeric) => ({ numeric })),
);
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('.'));
const { wanted } = fc.letrec<{ wanted: Wanted; member: unknown }>((tie) => ({
  member: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.array(wantedValue, { minLength: 1, maxLength: 3 }),
    tie('wanted'),
  ),
  wanted: fc
    .tuple(
      fc.uniqueArray(fc.tuple(path, tie('member')), {
        minLength: 1,
        maxLength: 2,
        selector: ([key]) => key,
      }),
      fc.option(fc.array(tie('wanted'), { minLength: 1, maxLength: 2 }), {
        freq: 4,
        maxDepth: 3,
        depthSize: 'xsmall',
        nil: undefined,
      }),
    )
    .map(([members, any]): Wanted => {
      const all = any === undefined ? members : [...members, ['$or', any] as [string, unknown]];
      return Object.fromEntries(all);
    }),
}));

function writeWanted(value: unknown): string {
  if (value instanceof Numeral) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeWanted).join(',')}]`;
  if (!isTest(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}:${writeWanted(one)}`,
  );
  return `{${members.join(',')}}`;
}

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
    { numRuns: 3000 },
  );
  assert.ok(held > 100, `${held}`);
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
    [
      { a: [1e401 / 1e401, { numeric: ['>', 1] }], [`b.${'x'.repeat(129)}`]: [1] },
      /128 characters/,
    ],
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
