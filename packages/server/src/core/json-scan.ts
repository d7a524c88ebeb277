/** Not JSON, or deeper than allowed. The message is a sentence that says where. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** Levels of arrays and objects that are read. */
export const MAX_JSON_DEPTH = 64;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Walks strict JSON (RFC 8259) in a text without building values, so that what a publisher wrote
 * can be cut out and passed on character for character. Every method leaves `pos` behind what it
 * read and throws JsonError at the first character that does not belong.
 */
export class JsonScanner {
  readonly text: string;
  pos = 0;
  #depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** Code of the next character that is not white space; NaN at the end. */
  peek(): number {
    const code = this.text.charCodeAt(this.pos);
    return code > SPACE ? code : this.#peekPastSpace();
  }

  /** True when the next value is an object. */
  atObject(): boolean {
    return this.peek() === OPEN_OBJECT;
  }

  /** True when the next value is an array. */
  atArray(): boolean {
    return this.peek() === OPEN_ARRAY;
  }

  /** True when nothing but white space is left. */
  atEnd(): boolean {
    return Number.isNaN(this.peek());
  }

  /** Throws unless nothing but white space is left. */
  expectEnd(): void {
    if (!this.atEnd()) this.fail();
  }

  /** Calls `member` at each member's value, which it must read; the key is decoded. */
  object(member: (key: string) => void): void {
    this.#enter(OPEN_OBJECT);
    if (this.peek() === CLOSE_OBJECT) return this.#leave();
    for (;;) {
      if (this.peek() !== QUOTE) this.fail();
      const key = this.string();
      if (this.peek() !== COLON) this.fail();
      this.pos += 1;
      member(key);
      const code = this.peek();
      if (code === CLOSE_OBJECT) return this.#leave();
      if (code !== COMMA) this.fail();
      this.pos += 1;
    }
  }

  /** Calls `item` at each item, which it must read. */
  array(item: (index: number) => void): void {
    this.#enter(OPEN_ARRAY);
    if (this.peek() === CLOSE_ARRAY) return this.#leave();
    for (let index = 0; ; index += 1) {
      item(index);
      const code = this.peek();
      if (code === CLOSE_ARRAY) return this.#leave();
      if (code !== COMMA) this.fail();
      this.pos += 1;
    }
  }

  /** Reads a string and gives its value. */
  string(): string {
    const start = this.pos;
    const plain = this.#skipString();
    const raw = this.text.slice(start, this.pos);
    return plain ? raw.slice(1, -1) : parseString(raw);
  }

  /** Reads any value and gives its text as written, white space around it left out. */
  raw(): string {
    this.peek();
    const start = this.pos;
    this.skip();
    return this.text.slice(start, this.pos);
  }

  /** Reads over any value. */
  skip(): void {
    const code = this.peek();
    if (code === QUOTE) this.#skipString();
    else if (code === OPEN_OBJECT) this.#skipObject();
    else if (code === OPEN_ARRAY) this.#skipArray();
    else if (code === 0x74) this.#skipWord('true');
    else if (code === 0x66) this.#skipWord('false');
    else if (code === 0x6e) this.#skipWord('null');
    else this.#skipNumber();
  }

  /** Says what stands at the place where something else was expected. */
  fail(): never {
    if (this.pos >= this.text.length) throw new JsonError('Not JSON: it ends too early.');
    const found = JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.pos) ?? 0));
    throw new JsonError(`Not JSON: unexpected ${found} at character ${this.pos + 1}.`);
  }

  #skipObject(): void {
    this.#enter(OPEN_OBJECT);
    if (this.peek() === CLOSE_OBJECT) return this.#leave();
    for (;;) {
      if (this.peek() !== QUOTE) this.fail();
      this.#skipString();
      if (this.peek() !== COLON) this.fail();
      this.pos += 1;
      this.skip();
      const code = this.peek();
      if (code === CLOSE_OBJECT) return this.#leave();
      if (code !== COMMA) this.fail();
      this.pos += 1;
    }
  }

  #skipArray(): void {
    this.#enter(OPEN_ARRAY);
    if (this.peek() === CLOSE_ARRAY) return this.#leave();
    for (;;) {
      this.skip();
      const code = this.peek();
      if (code === CLOSE_ARRAY) return this.#leave();
      if (code !== COMMA) this.fail();
      this.pos += 1;
    }
  }

  #enter(open: number): void {
    if (this.peek() !== open) this.fail();
    this.#depth += 1;
    if (this.#depth > MAX_JSON_DEPTH) {
      throw new JsonError(
        `Too deep: at most ${MAX_JSON_DEPTH} levels of arrays and objects are read.`,
      );
    }
    this.pos += 1;
  }

  #leave(): void {
    this.#depth -= 1;
    this.pos += 1;
  }

  /** Apart from peek, which is called for each token: most tokens have no white space before them. */
  #peekPastSpace(): number {
    const { text } = this;
    let pos = this.pos;
    let code = text.charCodeAt(pos);
    while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) {
      pos += 1;
      code = text.charCodeAt(pos);
    }
    this.pos = pos;
    return code;
  }

  /** True when the string holds no escapes. */
  #skipString(): boolean {
    const { text } = this;
    let pos = this.pos + 1;
    let plain = true;
    for (;;) {
      let code = text.charCodeAt(pos);
      while (code >= SPACE && code !== QUOTE && code !== BACKSLASH) {
        pos += 1;
        code = text.charCodeAt(pos);
      }
      if (code === QUOTE) break;
      if (code !== BACKSLASH) this.#failAt(pos);
      plain = false;
      pos = this.#skipEscape(pos);
    }
    this.pos = pos + 1;
    return plain;
  }

  #skipEscape(at: number): number {
    const kind = this.text.charCodeAt(at + 1);
    if (kind === 0x75) {
      for (let digit = at + 2; digit < at + 6; digit += 1) {
        if (!isHexDigit(this.text.charCodeAt(digit))) this.#failAt(digit);
      }
      return at + 6;
    }
    if (!ESCAPES.has(kind)) this.#failAt(at + 1);
    return at + 2;
  }

  #skipWord(word: string): void {
    if (!this.text.startsWith(word, this.pos)) this.fail();
    this.pos += word.length;
  }

  #skipNumber(): void {
    const { text } = this;
    if (text.charCodeAt(this.pos) === 0x2d) this.pos += 1;
    if (text.charCodeAt(this.pos) === 0x30) this.pos += 1;
    else this.#skipDigits();
    if (text.charCodeAt(this.pos) === 0x2e) {
      this.pos += 1;
      this.#skipDigits();
    }
    const exponent = text.charCodeAt(this.pos) | 0x20;
    if (exponent !== 0x65) return;
    this.pos += 1;
    const sign = text.charCodeAt(this.pos);
    if (sign === 0x2b || sign === 0x2d) this.pos += 1;
    this.#skipDigits();
  }

  #skipDigits(): void {
    const start = this.pos;
    let code = this.text.charCodeAt(this.pos);
    while (code >= 0x30 && code <= 0x39) {
      this.pos += 1;
      code = this.text.charCodeAt(this.pos);
    }
    if (this.pos === start) this.fail();
  }

  #failAt(pos: number): never {
    this.pos = pos;
    this.fail();
  }
}

/** `"`, `\`, `/`, `b`, `f`, `n`, `r`, `t`. */
const ESCAPES: ReadonlySet<number> = new Set([0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]);

function isHexDigit(code: number): boolean {
  const lower = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x66);
}

function parseString(raw: string): string {
  const value: unknown = JSON.parse(raw);
  return String(value);
}
