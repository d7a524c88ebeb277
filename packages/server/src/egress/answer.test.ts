import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Outcome } from '../core/outcome.ts';
import { Answer } from './answer.ts';
import { Failure } from './failure.ts';
import { MAX_HEAD_BYTES } from './limits.ts';

/** What an answer comes to that arrives in these pieces, after which the connection may end. */
function outcomeOf(pieces: readonly Buffer[], ends = false): Outcome | 'unfinished' {
  const answer = new Answer();
  try {
    for (const piece of pieces) if (!answer.isComplete) answer.read(piece);
    if (ends) answer.end();
  } catch (error) {
    assert.ok(error instanceof Failure);
    return answer.hasHead ? answer.outcome(true) : error.outcome;
  }
  if (answer.isComplete) return answer.outcome(false);
  return answer.hasHead && ends ? answer.outcome(true) : 'unfinished';
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const whole = (text: string, ends = false): Outcome | 'unfinished' =>
  outcomeOf([latin1(text)], ends);

function response(
  status: number,
  body: string,
  headers: readonly (readonly [string, string])[],
): Outcome {
  return { kind: 'response', status, response: { headers, body, truncated: false } };
}

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunked = [['transfer-encoding', 'chunked']] as const;

describe('an answer', () => {
  for (const [name, text, expected] of [
    ['without a reason', 'HTTP/1.1 204\r\n\r\n', response(204, '', [])],
    ['with an empty reason', 'HTTP/1.1 204 \r\n\r\n', response(204, '', [])],
    [
      'of 204 with a length',
      'HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\n',
      response(204, '', [['content-length', '5']]),
    ],
    [
      'of 304 with chunks',
      'HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\n',
      response(304, '', chunked),
    ],
    [
      'with blanks around values',
      'HTTP/1.1 200 X\r\nX-A:\t a b \t\r\nContent-Length:2\r\n\r\nok',
      response(200, 'ok', [
        ['x-a', 'a b'],
        ['content-length', '2'],
      ]),
    ],
    [
      'with values of Latin 1',
      'HTTP/1.1 200 \xfc\r\nX-A: \xe9\r\nContent-Length: 0\r\n\r\n',
      response(200, '', [
        ['x-a', '\xe9'],
        ['content-length', '0'],
      ]),
    ],
    ['with no chunk', `${CHUNKED}0\r\n\r\n`, response(200, '', chunked)],
    [
      'with chunks, extensions and trailers',
      `${CHUNKED}3;a=b\r\nabc\r\n00a ;x\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n`,
      response(200, 'abc0123456789', chunked),
    ],
    [
      'with chunks of another coding',
      'HTTP/1.1 200 X\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
      response(200, 'a', [
        ['transfer-encoding', 'gzip'],
        ['transfer-encoding', 'Chunked'],
      ]),
    ],
  ] as const) {
    test(`${name} is read`, () => assert.deepEqual(whole(text), expected));
    test(`${name} is the same in whatever pieces it comes`, () => {
      const bytes = latin1(text);
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
          const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
          const pieces = at.slice(1).map((to, index) => bytes.subarray(at[index], to));
          assert.deepEqual(outcomeOf(pieces), expected);
        }),
        { numRuns: 50 },
      );
    });
    test(`${name} is unfinished until its last byte`, () => {
      for (let to = 0; to < text.length; to += 1)
        assert.equal(whole(text.slice(0, to)), 'unfinished', `${to}`);
    });
  }

  test('without a length goes on until the connection ends', () => {
    const text = 'HTTP/1.0 200 X\r\n\r\nas long as it likes';
    assert.equal(whole(text), 'unfinished');
    assert.deepEqual(whole(text, true), response(200, 'as long as it likes', []));
  });

  for (const text of [
    'HTTP/1.1 200 X\r\nContent-Length: 3\r\n\r\nab',
    `${CHUNKED}3\r\nab`,
    `${CHUNKED}3\r\nabc\r\n`,
    `${CHUNKED}3\r\nabc\r\n0\r\n`,
  ]) {
    test(`that ends early is truncated: ${JSON.stringify(text.slice(15))}`, () => {
      const outcome = whole(text, true);
      assert.ok(outcome !== 'unfinished' && outcome.kind === 'response');
      assert.ok(outcome.response.truncated);
    });
  }

  for (const [text, code] of [
    ['G', 'STATUS_LINE'],
    ['HTTP/2', 'STATUS_LINE'],
    ['HTTP/1.2 200 OK\r\n', 'STATUS_LINE'],
    ['HTTP/1.1  200 OK\r\n', 'STATUS_LINE'],
    ['HTTP/1.1 200OK\r\n', 'STATUS_LINE'],
    ['HTTP/1.1 099 X\r\n', 'STATUS_LINE'],
    ['http/1.1 200 OK\r\n', 'STATUS_LINE'],
    ['\r\nHTTP/1.1 200 OK\r\n', 'STATUS_LINE'],
    ['HTTP/1.1 200 OK\n', 'LINE_END'],
    ['HTTP/1.1 200 O\rK\r\n', 'STATUS_LINE'],
    ['HTTP/1.1 200 OK\r\nX-A: 1\n', 'LINE_END'],
    ['HTTP/1.1 200 OK\r\nX-A: 1\r\r\n', 'HEADER'],
    ['HTTP/1.1 200 OK\r\nX-A : 1\r\n', 'HEADER'],
    ['HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n', 'HEADER'],
    ['HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n', 'LENGTH'],
    ['HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n', 'UPGRADE'],
  ] as const) {
    test(`is none that says ${JSON.stringify(text)}`, () => {
      const expected = { kind: 'protocol_error', code: `INVALID_${code}` };
      assert.deepEqual(whole(text), expected);
      assert.deepEqual(outcomeOf(text.split('').map(latin1)), expected);
    });
  }

  test('with a head of the greatest size is read, and with one byte more is not', () => {
    const head = (size: number): string => {
      const [start, end] = ['HTTP/1.1 200 X\r\nX-A: ', '\r\nContent-Length: 0\r\n\r\n'];
      return `${start}${'a'.repeat(size - start.length - end.length)}${end}`;
    };
    const outcome = whole(head(MAX_HEAD_BYTES));
    assert.ok(outcome !== 'unfinished' && outcome.kind === 'response');
    assert.deepEqual(whole(head(MAX_HEAD_BYTES + 1)), { kind: 'headers_too_large' });
    assert.deepEqual(
      outcomeOf(
        head(MAX_HEAD_BYTES + 1)
          .split('')
          .map(latin1),
      ),
      {
        kind: 'headers_too_large',
      },
    );
  });

  test('of many small chunks in one piece takes no longer than its bytes do', () => {
    const bytes = latin1(`${CHUNKED}${'1\r\na\r\n'.repeat(60_000)}0\r\n\r\n`);
    const from = performance.now();
    const outcome = outcomeOf([bytes]);
    assert.ok(outcome !== 'unfinished' && outcome.kind === 'response');
    assert.equal(outcome.response.body.length, 60_000);
    assert.ok(performance.now() - from < 2000);
  });

  test('tells how many bytes were its own', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    assert.equal(new Answer().read(latin1(`${text}HTTP/1.1 500 X\r\n`)), text.length);
  });

  for (const [head, idleMs] of [
    ['HTTP/1.1 200 X\r\nContent-Length: 0\r\n', 30_000],
    ['HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n', 30_000],
    ['HTTP/1.1 200 X\r\nContent-Length: 0\r\nKeep-Alive: max=9, timeout=5\r\n', 4000],
    ['HTTP/1.1 200 X\r\nContent-Length: 0\r\nKeep-Alive: timeout=999999\r\n', 30_000],
    ['HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: x, CLOSE\r\n', 0],
    ['HTTP/1.1 200 X\r\n', 0],
    ['HTTP/1.0 200 X\r\nContent-Length: 0\r\nConnection: keep-alive\r\n', 0],
  ] as const) {
    test(`lets its connection wait ${idleMs} ms after ${JSON.stringify(head)}`, () => {
      const answer = new Answer();
      answer.read(latin1(`${head}\r\n`));
      assert.equal(answer.idleMs, idleMs);
    });
  }
});
