import { checkDepth, skipPlain, skipString, skipValue, tokenAt, unexpected } from './json-skip.ts';

export { JsonError, MAX_JSON_DEPTH } from './json-skip.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
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
    this.pos = tokenAt(this.text, this.pos);
    return this.text.charCodeAt(this.pos);
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

  /** Reads a string and gives its value. Throws JsonError when there is something else. */
  string(): string {
    if (this.peek() !== QUOTE) this.fail();
    const { text, pos } = this;
    const end = skipPlain(text, pos + 1);
    const plain = text.charCodeAt(end) === QUOTE;
    this.pos = plain ? end + 1 : skipString(text, pos);
    return plain ? text.slice(pos + 1, end) : parseString(text.slice(pos, this.pos));
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
    this.pos = skipValue(this.text, this.pos, this.#depth);
  }

  /** Says what stands at the place where something else was expected. */
  fail(): never {
    throw unexpected(this.text, this.pos);
  }

  #enter(open: number): void {
    if (this.peek() !== open) this.fail();
    checkDepth(this.#depth + 1);
    this.#depth += 1;
    this.pos += 1;
  }

  #leave(): void {
    this.#depth -= 1;
    this.pos += 1;
  }
}

function parseString(raw: string): string {
  const value: unknown = JSON.parse(raw);
  return String(value);
}
