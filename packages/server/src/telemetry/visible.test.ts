import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { jsonLines, prettyLines } from './log.ts';
import { escapeLine } from './visible.ts';

/** Clears the screen, forges a line, turns the text round, sets the title of the window. */
const HOSTILE =
  'a\u001b[2J\r\n{"level":50,"msg":"forged"}\u0007\u009b31m\u202egpj.exe\u2066\u2028x\u007f\u0000"\\';
const OBEYED = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;

function collect(): { readonly out: Writable; readonly text: () => string } {
  const chunks: string[] = [];
  const out = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(String(chunk));
      done();
    },
  });
  return { out, text: () => chunks.join('') };
}

/** Everything that is logged of strangers, and more. */
function logAll(log: ReturnType<typeof pino>, hostile: string): void {
  log.info({ tenant: hostile, sentence: hostile, deep: { uri: [hostile] } }, 'attempt');
  log.warn(hostile);
  log.error({ err: new Error(hostile) }, hostile);
}

test('whatever strangers write, each line of the log is one JSON object that reads as it was', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant(HOSTILE), fc.string({ unit: 'binary' })), (hostile) => {
      const { out, text } = collect();
      logAll(pino({ base: null }, jsonLines({ write: (line) => void out.write(line) })), hostile);
      const lines = text().trimEnd().split('\n');
      assert.equal(lines.length, 3);
      const [first, second] = lines.map((line) => JSON.parse(line));
      assert.equal(first.tenant, hostile.toWellFormed());
      assert.equal(second.msg, hostile.toWellFormed());
      assert.doesNotMatch(lines.join(''), OBEYED);
    }),
    { numRuns: 200 },
  );
});

test('on a terminal nothing of it is obeyed, and no line of its own begins like one of ours', () => {
  const { out, text } = collect();
  logAll(pino({ base: null }, prettyLines(out)), HOSTILE);
  const ours = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');
  const shown = text().replaceAll(ours, '');
  assert.doesNotMatch(shown.replaceAll('\n', ''), OBEYED);
  assert.ok(shown.includes('\\u001b[2J') && shown.includes('\\u202e'), shown);
  const begun = shown.split('\n').filter((line) => /^\[\d\d:/.test(line));
  assert.equal(begun.length, 3, shown);
});

test('a line without such characters is left as it is', () => {
  const line = '{"msg":"Kursus æøå 你好 😀 \\u001b"}\n';
  assert.equal(escapeLine(line), line);
});
