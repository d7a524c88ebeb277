/** Not JSON, or deeper than allowed. The message is a sentence that says where. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Levels of arrays and objects that are read. */
export const MAX_JSON_DEPTH = 64;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`. */
const ESCAPES: ReadonlySet<number> = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

/**
 * Where the value at `pos` ends, by strict JSON (RFC 8259); white space before it is skipped.
 * `depth` is how many arrays and objects are open around it. Throws JsonError at the first
 * character that does not belong. Positions are passed and returned, not kept in an object: this
 * runs for each character published, and is half again as fast so.
 */
export function skipValue(text: string, pos: number, depth: number): number {
  let at = pos;
  let code = text.charCodeAt(at);
  if (code <= SPACE) {
    at = skipSpace(text, at);
    code = text.charCodeAt(at);
  }
  if (code === QUOTE) return skipString(text, at);
  if (code === OPEN_OBJECT) return skipObject(text, at, depth + 1);
  if (code === OPEN_ARRAY) return skipArray(text, at, depth + 1);
  return skipScalar(text, at, code);
}

function skipScalar(text: string, pos: number, code: number): number {
  if (code === 0x74) return skipWord(text, pos, 'true');
  if (code === 0x66) return skipWord(text, pos, 'false');
  if (code === 0x6e) return skipWord(text, pos, 'null');
  return skipNumber(text, pos);
}

/** The first position from `pos` on that is not white space. */
export function tokenAt(text: string, pos: number): number {
  // Most tokens have no white space before them.
  return text.charCodeAt(pos) > SPACE ? pos : skipSpace(text, pos);
}

/** Where the string that begins with the quote at `pos` ends. */
export function skipString(text: string, pos: number): number {
  let at = skipPlain(text, pos + 1);
  while (text.charCodeAt(at) === BACKSLASH) at = skipPlain(text, skipEscape(text, at));
  if (text.charCodeAt(at) !== QUOTE) throw unexpected(text, at);
  return at + 1;
}

/** The first position from `pos` on that is not a plain character of a string. */
export function skipPlain(text: string, pos: number): number {
  let at = pos;
  let code = text.charCodeAt(at);
  while (code >= SPACE && code !== QUOTE && code !== BACKSLASH) {
    at += 1;
    code = text.charCodeAt(at);
  }
  return at;
}

/** Throws when one more level is too deep. */
export function checkDepth(depth: number): void {
  if (depth <= MAX_JSON_DEPTH) return;
  throw new JsonError(`Too deep: at most ${MAX_JSON_DEPTH} levels of arrays and objects are read.`);
}

/** What stands at the place where something else was expected. */
export function unexpected(text: string, pos: number): JsonError {
  if (pos >= text.length) return new JsonError('Not JSON: it ends too early.');
  const found = nameOf(text.codePointAt(pos) ?? 0);
  return new JsonError(`Not JSON: unexpected ${found} at character ${pos + 1}.`);
}

/** The character in quotes, or its number where it could not be seen. */
function nameOf(code: number): string {
  const character = String.fromCodePoint(code);
  if (!/[\p{C}\p{Z}]/u.test(character)) return JSON.stringify(character);
  return `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
}

function skipSpace(text: string, pos: number): number {
  let at = pos;
  let code = text.charCodeAt(at);
  while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) {
    at += 1;
    code = text.charCodeAt(at);
  }
  return at;
}

function skipObject(text: string, pos: number, depth: number): number {
  checkDepth(depth);
  let at = tokenAt(text, pos + 1);
  if (text.charCodeAt(at) === CLOSE_OBJECT) return at + 1;
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) throw unexpected(text, at);
    at = skipString(text, at);
    if (text.charCodeAt(at) !== COLON) {
      at = skipSpace(text, at);
      if (text.charCodeAt(at) !== COLON) throw unexpected(text, at);
    }
    at = skipValue(text, at + 1, depth);
    let code = text.charCodeAt(at);
    if (code <= SPACE) {
      at = skipSpace(text, at);
      code = text.charCodeAt(at);
    }
    if (code === CLOSE_OBJECT) return at + 1;
    if (code !== COMMA) throw unexpected(text, at);
    at += 1;
    if (text.charCodeAt(at) !== QUOTE) at = skipSpace(text, at);
  }
}

function skipArray(text: string, pos: number, depth: number): number {
  checkDepth(depth);
  let at = tokenAt(text, pos + 1);
  if (text.charCodeAt(at) === CLOSE_ARRAY) return at + 1;
  for (;;) {
    at = skipValue(text, at, depth);
    let code = text.charCodeAt(at);
    if (code <= SPACE) {
      at = skipSpace(text, at);
      code = text.charCodeAt(at);
    }
    if (code === CLOSE_ARRAY) return at + 1;
    if (code !== COMMA) throw unexpected(text, at);
    at += 1;
  }
}

function skipEscape(text: string, pos: number): number {
  const kind = text.charCodeAt(pos + 1);
  if (kind !== 0x75) {
    if (!ESCAPES.has(kind)) throw unexpected(text, pos + 1);
    return pos + 2;
  }
  for (let digit = pos + 2; digit < pos + 6; digit += 1) {
    if (!isHexDigit(text.charCodeAt(digit))) throw unexpected(text, digit);
  }
  return pos + 6;
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= ZERO && code <= NINE) || (lower >= 0x61 && lower <= 0x66);
}

function skipWord(text: string, pos: number, word: string): number {
  if (!text.startsWith(word, pos)) throw unexpected(text, pos);
  return pos + word.length;
}

function skipNumber(text: string, pos: number): number {
  let at = text.charCodeAt(pos) === MINUS ? pos + 1 : pos;
  at = text.charCodeAt(at) === ZERO ? at + 1 : skipDigits(text, at);
  if (text.charCodeAt(at) === DOT) at = skipDigits(text, at + 1);
  // `e` and `E`
  if ((text.charCodeAt(at) | 0x20) !== 0x65) return at;
  const sign = text.charCodeAt(at + 1);
  return skipDigits(text, sign === 0x2b || sign === MINUS ? at + 2 : at + 1);
}

/** Throws when there is none. */
function skipDigits(text: string, pos: number): number {
  let at = pos;
  let code = text.charCodeAt(at);
  while (code >= ZERO && code <= NINE) {
    at += 1;
    code = text.charCodeAt(at);
  }
  if (at === pos) throw unexpected(text, at);
  return at;
}
