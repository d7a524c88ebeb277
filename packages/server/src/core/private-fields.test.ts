import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maskFields, privateFields, privateTexts } from './private-fields.ts';

function mask(notification: string, ...paths: string[]): string {
  const fields = privateFields(paths);
  return fields === undefined ? notification : maskFields(notification, fields);
}

test('a private value is masked whatever it is, and everything around it stays as it was written', () => {
  const text =
    '{ "Action":"A",\n "Learner" : {"Email": "ana@x.example" , "n":1.0, "Id":7},"x":1e400}';
  assert.equal(
    mask(text, 'Learner.Email', 'Learner.Id'),
    '{ "Action":"A",\n "Learner" : {"Email": "****" , "n":1.0, "Id":"****"},"x":1e400}',
  );
  assert.equal(mask(text, 'Learner'), '{ "Action":"A",\n "Learner" : "****","x":1e400}');
  for (const value of ['null', 'true', '-0.50', '"\\u0000\\"]}"', '[1,{"a":[]}]', '{}'])
    assert.equal(mask(`{"a":${value} ,"b":2}`, 'a'), '{"a":"****" ,"b":2}');
});

test('lists count as each of their items, members stand by their decoded names, and twice is twice', () => {
  assert.equal(
    mask('{"Users":[{"Email":"a"},{"Email":"b","x":[{"Email":"c"}]}]}', 'Users.Email'),
    '{"Users":[{"Email":"****"},{"Email":"****","x":[{"Email":"c"}]}]}',
  );
  assert.equal(
    mask('{"E\\u006dail":"a","Email":"b"}', 'Email'),
    '{"E\\u006dail":"****","Email":"****"}',
  );
  assert.equal(mask('[[{"a":1}]]', 'a'), '[[{"a":"****"}]]');
  assert.equal(mask('{"email":"a"}', 'Email'), '{"email":"a"}');
});

test('a path that leads through what is no object, or is not there, masks nothing', () => {
  for (const text of ['{"a":1}', '{"a":"b.c"}', '{"a":[1,"x"]}', '{"a":{"b":{}}}', '{}'])
    assert.equal(mask(text, 'a.b.c'), text);
  assert.equal(privateFields([]), undefined);
});

test('of two paths the shorter one masks, in either order', () => {
  const text = '{"a":{"b":1,"c":2}}';
  assert.equal(mask(text, 'a', 'a.b'), '{"a":"****"}');
  assert.equal(mask(text, 'a.b', 'a'), '{"a":"****"}');
  assert.equal(mask(text, 'a.b', 'a.c'), '{"a":{"b":"****","c":"****"}}');
});

test('a private value is known as it is written in JSON and as the text it stands for', () => {
  const fields = privateFields(['a', 'l.b'])!;
  const text = '{"a":"x\\"\\u0041y","l":[{"b":12},{"b":["p",true]}],"c":"no"}';
  assert.deepEqual(privateTexts(text, fields), [
    'x\\"\\u0041y',
    'x"Ay',
    'x\\"Ay',
    '12',
    '["p",true]',
    'p',
  ]);
});

/** JSON as a publisher may write it: with white space, escapes and numbers of every spelling. */
type Written = { readonly value: Value; readonly space: string };
type Value =
  | { readonly raw: string }
  | { readonly items: readonly Written[] }
  | { readonly members: readonly (readonly [name: string, Written])[] };

const NAMES = ['a', 'b', 'Email', '', 'é"\\'];
const written: fc.Arbitrary<Written> = fc.letrec<{ written: Written; value: Value }>((tie) => ({
  written: fc.record({
    value: tie('value'),
    space: fc.constantFrom('', ' ', '\n\t', '  '),
  }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.record({
      raw: fc.oneof(
        fc.constantFrom(
          '1.0',
          '1e400',
          '-0',
          '12345678901234567890',
          'null',
          'true',
          '"\\u0000"',
          '"\\/"',
        ),
        fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
      ),
    }),
    fc.record({ items: fc.array(tie('written'), { maxLength: 3 }) }),
    fc.record({
      members: fc.array(fc.tuple(fc.constantFrom(...NAMES), tie('written')), { maxLength: 4 }),
    }),
  ),
})).written;

/** Writes it down; `masked` tells of each member's value whether asterisks stand for it. */
function write({ value, space }: Written, paths: readonly string[][] | null): string {
  if ('raw' in value) return space + value.raw + space;
  if ('items' in value)
    return `${space}[${value.items.map((item) => write(item, paths)).join(',')}]${space}`;
  const members = value.members.map(([name, member]) => {
    const rest = (paths ?? []).filter(([first]) => first === name).map((path) => path.slice(1));
    const isMasked = rest.some((path) => path.length === 0);
    const text = isMasked ? `${member.space}"****"${member.space}` : write(member, rest);
    return `${space}${JSON.stringify(name)}${space}:${text}`;
  });
  return `${space}{${members.join(',')}}${space}`;
}

const onePath = fc.array(fc.constantFrom(...NAMES.filter((name) => name !== '')), {
  minLength: 1,
  maxLength: 3,
});

test('whatever is written, exactly the private values are replaced and every other character stays', () => {
  fc.assert(
    fc.property(written, fc.array(onePath, { maxLength: 4 }), (json, paths) => {
      const given = paths.map((path) => path.join('.'));
      assert.equal(mask(write(json, null), ...given), write(json, paths));
    }),
    { numRuns: 1000 },
  );
});

test('what is masked once is not changed by being masked again', () => {
  fc.assert(
    fc.property(written, fc.array(onePath, { maxLength: 4 }), (json, paths) => {
      const given = paths.map((path) => path.join('.'));
      const once = mask(write(json, null), ...given);
      assert.equal(mask(once, ...given), once);
      assert.doesNotThrow(() => void JSON.parse(once));
    }),
  );
});
