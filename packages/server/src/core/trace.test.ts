import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTraceparent, writeTraceparent } from './trace.ts';

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
    `cc-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`,
  ])
    assert.equal(readTraceparent(wrong), undefined, wrong);
});
