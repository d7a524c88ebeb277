import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  partsOfTrace,
  readTraceparent,
  readTracestate,
  traceOf,
  writeTraceparent,
} from './trace.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('a traceparent is read and written as W3C has it', () => {
  const text = `00-${TRACE}-${SPAN}-01`;
  const read = readTraceparent(text);
  assert.deepEqual(read, { traceId: TRACE, spanId: SPAN, flags: 1 });
  assert.equal(read && writeTraceparent(read), text);
  assert.deepEqual(readTraceparent(`cc-${TRACE}-${SPAN}-01-what-comes-later`), read);
});

test('what is not a traceparent is passed over', () => {
  for (const wrong of [
    '',
    TRACE,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\r\nx: y`,
    `cc-${TRACE}-${SPAN}-01-a b`,
    `cc-${TRACE}-${SPAN}-01-\u00e9`,
    `cc-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`,
  ])
    assert.equal(readTraceparent(wrong), undefined, wrong);
});

const member = (length: number, key: string): string => `${key}=${'v'.repeat(length)}`;
const many = (count: number): string =>
  Array.from({ length: count }, (_, index) => `k${index}=1`).join(',');

test('a tracestate is what W3C allows, and nothing else is', () => {
  for (const [given, read] of [
    ['congo=t61rcWkgMzE', 'congo=t61rcWkgMzE'],
    [' rojo=1 ,\t,congo=a b:;"!~ ', 'rojo=1,congo=a b:;"!~'],
    ['1a-_*/@sys=1,z=2', '1a-_*/@sys=1,z=2'],
    [many(32), many(32)],
    [many(33), undefined],
    [member(256, 'a'), member(256, 'a')],
    [member(257, 'a'), undefined],
    ['', undefined],
    [' , ', undefined],
    ['a=1,a=2', undefined],
    ['a=1,b', undefined],
    ['=1', undefined],
    ['a=', undefined],
    ['A=1', undefined],
    ['1=1', undefined],
    ['a@1=1', undefined],
    ['a=b=c', undefined],
    ['a=\u00e9', undefined],
    ['a=1\r\nx: y', undefined],
    ['a=\u0000', undefined],
    [','.repeat(9000), undefined],
  ] as const)
    assert.equal(readTracestate(given), read, given);
});

test('of a long tracestate the long members go first, then the last', () => {
  const [long, short] = [member(200, 'long'), member(100, 'short')];
  const others = ['a', 'b', 'c'].map((key) => member(100, key));
  assert.equal(readTracestate([long, short, ...others].join(',')), [short, ...others].join(','));
  const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => member(100, key));
  assert.equal(readTracestate(six.join(',')), six.slice(0, 4).join(','));
});

test('whatever comes as a tracestate, what is read of it is short and reads the same', () => {
  const parts = fc.constantFrom('a', 'b1', '=', ',', ' ', '\t', 'x@y', 'v'.repeat(150), '\u00e9');
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 60 }), (texts) => {
      const read = readTracestate(texts.join(''));
      if (read === undefined) return;
      assert.ok(read.length <= 512);
      assert.equal(readTracestate(read), read);
    }),
  );
});

test('the two headers are kept in one text, the state only beside a good parent', () => {
  const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  for (const [tracestate, kept] of [
    ['a=1, b=x y', 'a=1,b=x y'],
    ['broken', undefined],
    [undefined, undefined],
    [['a=1'], undefined],
  ] as const)
    assert.deepEqual(partsOfTrace(traceOf(parent, tracestate) ?? ''), {
      traceparent: parent,
      tracestate: kept,
    });
  assert.equal(traceOf('broken', 'a=1'), undefined);
  assert.equal(traceOf(undefined, 'a=1'), undefined);
});
