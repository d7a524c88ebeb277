import type { Statement } from './database.ts';

/** How the elements of an array are sent. */
type Element = {
  /** PostgreSQL's number of their type. */
  readonly oid: number;
  /** Bytes that one takes at most. */
  readonly room: (value: unknown) => number;
  /** Writes one; how many bytes it took. */
  readonly write: (bytes: Buffer, value: unknown, at: number) => number;
};

const TEXT: Element = {
  oid: 25,
  // Of UTF-8: what takes two units of a text takes four bytes.
  room: (value) => 3 * textOf(value).length,
  write: (bytes, value, at) => bytes.write(textOf(value), at),
};
const BOOLEAN: Element = {
  oid: 16,
  room: () => 1,
  write: (bytes, value, at) => bytes.writeUInt8(Number(booleanOf(value)), at) - at,
};
const SMALLINT: Element = {
  oid: 21,
  room: () => 2,
  write: (bytes, value, at) => bytes.writeInt16BE(integerOf(value), at) - at,
};
const INT: Element = {
  oid: 23,
  room: () => 4,
  write: (bytes, value, at) => bytes.writeInt32BE(integerOf(value), at) - at,
};
/** Numbers as far as they are exact, and texts of larger ones. */
const BIGINT: Element = {
  oid: 20,
  room: () => 8,
  write: (bytes, value, at) => {
    if (typeof value === 'string') return bytes.writeBigInt64BE(BigInt(value), at) - at;
    const high = Math.floor(integerOf(value) / 2 ** 32);
    bytes.writeInt32BE(high, at);
    return bytes.writeUInt32BE(integerOf(value) - high * 2 ** 32, at + 4) - at;
  },
};

/** By the names that statements give their parameters' types. */
const ELEMENTS: ReadonlyMap<string, Element> = new Map([
  ['text', TEXT],
  ['smallint', SMALLINT],
  ['int', INT],
  ['bigint', BIGINT],
  ['bool', BOOLEAN],
  ['boolean', BOOLEAN],
]);

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`${typeof value} is not a text`);
}

function booleanOf(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${typeof value} is not a boolean`);
}

/** Buffers would cut off what is not whole, and write 0 for what is no number. */
function integerOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new RangeError(`${String(value)} is not an exact integer`);
}

const PARAMETER = /\$(\d+)::([a-z]+)\[\]/g;
const known = new WeakMap<Statement, readonly (Element | undefined)[]>();

/** The types of the statement's arrays, in the order of its parameters. */
function elementsOf(statement: Statement): readonly (Element | undefined)[] {
  const before = known.get(statement);
  if (before !== undefined) return before;
  const elements: (Element | undefined)[] = [];
  for (const [, number, type = ''] of statement.text.matchAll(PARAMETER))
    elements[Number(number) - 1] = ELEMENTS.get(type);
  known.set(statement, elements);
  return elements;
}

/**
 * Values as they are sent: arrays whose type the statement names in PostgreSQL's binary format. As text
 * each element would be quoted here and unquoted there, which costs more than what is done with it.
 */
export function toWire(statement: Statement, values: readonly unknown[]): unknown[] {
  const elements = elementsOf(statement);
  return values.map((value, index) => {
    const element = elements[index];
    return element !== undefined && Array.isArray(value) ? toBinary(element, value) : value;
  });
}

/** Of dimensions one, whether there are nulls, the elements' type, how many, counted from 1; then each behind its length. */
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;

function toBinary({ oid, room, write }: Element, values: readonly unknown[]): Buffer {
  let most = HEADER_BYTES + LENGTH_BYTES * values.length;
  for (const value of values) if (!isNull(value)) most += room(value);
  const bytes = Buffer.allocUnsafe(most);
  let at = 0;
  for (const word of [1, 1, oid, values.length, 1]) at = bytes.writeInt32BE(word, at);
  for (const value of values) {
    const length = isNull(value) ? -1 : write(bytes, value, at + LENGTH_BYTES);
    at = bytes.writeInt32BE(length, at) + Math.max(0, length);
  }
  return bytes.subarray(0, at);
}

function isNull(value: unknown): boolean {
  return value === null || value === undefined;
}
