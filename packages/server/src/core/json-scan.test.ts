import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonError, JsonScanner, MAX_JSON_DEPTH } from './json-scan.ts';
import { compactJson, readItems, readMembers } from './json-text.ts';
import { strictJson } from './lenient-json.ts';

function isRead(text: string): boolean {
  try {
    const scanner = new JsonScanner(text);
    scanner.skip();
    scanner.expectEnd();
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const json = fc.json({ maxDepth: 6, stringUnit: 'binary' });

test('everything that JSON.parse reads is read', () => {
  fc.assert(
    fc.property(json, (text) => assert.equal(isRead(text), true)),
    { numRuns: 500 },
  );
});

test('of JSON with a character changed, exactly that is read which JSON.parse reads', () => {
  const characters = fc.constantFrom(
    ...'{}[]":,0123456789eE+-.\\/ntfu \t\n\u0000\u001f\u2028x'.split(''),
  );
  fc.assert(
    fc.property(json, fc.nat(), characters, fc.boolean(), (text, at, character, insert) => {
      const place = at % (text.length + 1);
      const changed = text.slice(0, place) + character + text.slice(place + (insert ? 0 : 1));
      assert.equal(isRead(changed), isParsed(changed), changed);
    }),
    { numRuns: 3000 },
  );
});

test('odd spellings are judged one by one', () => {
  const good = [
    '0',
    '-0',
    '1e400',
    '1.0',
    '12345678901234567890',
    '"\\ud800"',
    '"\\u0000"',
    ' [ ] ',
    '{"a":{}}',
    '"\u007f"',
  ];
  const bad = [
    '',
    ' ',
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    '-',
    'nul',
    'True',
    "'a'",
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    '"\n"',
    '"\\x"',
    '"\\u12"',
    '\ufeff1',
    '1 2',
    '[',
    '"',
    '//1',
    'NaN',
  ];
  for (const text of good) assert.equal(isRead(text), true, text);
  for (const text of bad) assert.equal(isRead(text), false, text);
});

test('sixty-four levels are read and no more', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  assert.equal(isRead(nested(MAX_JSON_DEPTH)), true);
  assert.equal(isRead(nested(MAX_JSON_DEPTH + 1)), false);
  assert.equal(isRead('['.repeat(1_000_000)), false);
  assert.throws(
    () => compactJson(`{"a":${nested(MAX_JSON_DEPTH)}}`),
    /Too deep: at most 64 levels/,
  );
});

test('a refusal says where', () => {
  assert.throws(() => compactJson('{"a" 1}'), /unexpected "1" at character 6/);
  assert.throws(() => compactJson('{"a":'), /it ends too early/);
  assert.throws(() => compactJson('\ufeff{}'), /unexpected U\+FEFF at character 1/);
});

test('members and items are cut out as they were written', () => {
  assert.deepEqual(readMembers(' {"a" : 1.0, "\\u0062": [ 1 ] ,"a":"x"} '), [
    ['a', '1.0'],
    ['b', '[ 1 ]'],
    ['a', '"x"'],
  ]);
  assert.deepEqual(readItems('[1e400 , {"k": 12345678901234567890}]'), [
    '1e400',
    '{"k": 12345678901234567890}',
  ]);
});

test('compacting changes white space alone', () => {
  fc.assert(
    fc.property(json, (text) => {
      const spread = JSON.stringify(JSON.parse(text), null, 3);
      assert.equal(compactJson(spread), JSON.stringify(JSON.parse(text)));
    }),
  );
  assert.equal(compactJson('{ "a b" : "c\\" : d" , "n" : 1.0 }'), '{"a b":"c\\" : d","n":1.0}');
});

test('what Json.NET lets pass is rewritten as JSON, and strings are left alone', () => {
  const cases: [string, string][] = [
    ["{/*c*/'a':1,}", '{"a":1}'],
    ['{"a":[1,2,],} // end', '{"a":[1,2]}'],
    [`{"a":"//, ] '"}`, `{"a":"//, ] '"}`],
    [`{'it\\'s':'"'}`, `{"it's":"\\""}`],
    [`{'a':'x\\"y'}`, `{"a":"x\\"y"}`],
  ];
  for (const [lenient, strict] of cases) assert.equal(compactJson(strictJson(lenient)), strict);
});

test('a string that never ends costs no more than its length', () => {
  const hostile = `{'a':"${'\\"'.repeat(400_000)}`;
  const from = process.cpuUsage();
  assert.throws(() => compactJson(strictJson(hostile)), JsonError);
  assert.ok(process.cpuUsage(from).user < 1_000_000);
});
