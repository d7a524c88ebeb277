import { decimalKey, type Decimal, readDecimal } from './decimal.ts';
import { skipPlain, skipString, skipValue, tokenAt } from './json-skip.ts';

/** A text, number, boolean or null that a notification holds. */
export type Scalar = {
  /** The same for the same value: `"` and the text, `#` and the number, or the word itself. */
  readonly key: string;
  /** The exact value of a number, and how it was written. */
  readonly number: { readonly value: Decimal; readonly text: string } | null;
};

/** What stands at one path: its values, through lists, in order. */
export type Found = {
  readonly values: readonly Scalar[];
  /** True when there were more than are kept. */
  readonly hasMore: boolean;
};

/** By path, such as `Course.Id`; a path that is not in the notification is not in here. */
export type Findings = ReadonlyMap<string, Found>;

/** Values kept of one path: a list of that many identifiers fills a notification. */
export const MAX_VALUES_READ = 10_000;

type Node = {
  readonly children: Map<string, Node>;
  /** Null where no path ends. */
  path: string | null;
  /** Paths that lead here or further. */
  uses: number;
};
type Collected = Map<string, { values: Scalar[]; hasMore: boolean }>;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const MINUS = 0x2d;

/**
 * Paths that someone wants to know, each as often as it was added. A notification is walked once for
 * all of them, without building values of anything else.
 */
export class PathTree {
  readonly #root: Node = newNode();

  add(path: string): void {
    let node = this.#root;
    for (const name of path.split('.')) {
      const child = node.children.get(name) ?? newNode();
      node.children.set(name, child);
      child.uses += 1;
      node = child;
    }
    node.path = path;
  }

  /** Takes back one `add` of this path. */
  remove(path: string): void {
    let node = this.#root;
    for (const name of path.split('.')) {
      const child = node.children.get(name);
      if (child === undefined) return;
      child.uses -= 1;
      if (child.uses === 0) node.children.delete(name);
      node = child;
    }
    // Others may go on from here: then nothing but the end is taken away.
    const ends = node.uses - [...node.children.values()].reduce((sum, { uses }) => sum + uses, 0);
    if (ends === 0) node.path = null;
  }

  /** What a notification holds at the paths. It must be JSON that was checked before. */
  read(text: string): Findings {
    const found: Collected = new Map();
    readValue(text, tokenAt(text, 0), this.#root, found);
    return found;
  }
}

function newNode(): Node {
  return { children: new Map(), path: null, uses: 0 };
}

/** Reads the value that begins at `pos`; where it ends. Lists count as each of their items. */
function readValue(text: string, pos: number, node: Node, found: Collected): number {
  const code = text.charCodeAt(pos);
  if (code === OPEN_ARRAY) return readArray(text, pos, node, found);
  if (code === OPEN_OBJECT) {
    return node.children.size === 0 ? skipValue(text, pos, 0) : readObject(text, pos, node, found);
  }
  const end = skipValue(text, pos, 0);
  const kept = node.path === null ? undefined : found.get(node.path);
  if (kept === undefined) return end;
  if (kept.values.length < MAX_VALUES_READ) kept.values.push(toScalar(text.slice(pos, end)));
  else kept.hasMore = true;
  return end;
}

function readArray(text: string, pos: number, node: Node, found: Collected): number {
  let at = tokenAt(text, pos + 1);
  if (text.charCodeAt(at) === CLOSE_ARRAY) return at + 1;
  for (;;) {
    at = tokenAt(text, readValue(text, at, node, found));
    if (text.charCodeAt(at) !== COMMA) return at + 1;
    at = tokenAt(text, at + 1);
  }
}

function readObject(text: string, pos: number, node: Node, found: Collected): number {
  let at = tokenAt(text, pos + 1);
  if (text.charCodeAt(at) === CLOSE_OBJECT) return at + 1;
  for (;;) {
    const plainEnd = skipPlain(text, at + 1);
    const isPlain = text.charCodeAt(plainEnd) === QUOTE;
    const end = isPlain ? plainEnd + 1 : skipString(text, at);
    const name = isPlain ? text.slice(at + 1, plainEnd) : stringAt(text, at, end);
    const child = node.children.get(name);
    // Behind the colon.
    at = tokenAt(text, tokenAt(text, end) + 1);
    at = child === undefined ? skipValue(text, at, 0) : readMember(text, at, child, found);
    at = tokenAt(text, at);
    if (text.charCodeAt(at) !== COMMA) return at + 1;
    at = tokenAt(text, at + 1);
  }
}

function readMember(text: string, pos: number, node: Node, found: Collected): number {
  if (node.path !== null && !found.has(node.path))
    found.set(node.path, { values: [], hasMore: false });
  return readValue(text, pos, node, found);
}

/** The value of a text, number or word as it is written in JSON. */
export function toScalar(raw: string): Scalar {
  const code = raw.charCodeAt(0);
  if (code === QUOTE) return { key: `"${stringAt(raw, 0, raw.length)}`, number: null };
  if (code !== MINUS && (code < 0x30 || code > 0x39)) return { key: raw, number: null };
  const value = readDecimal(raw);
  return { key: `#${decimalKey(value)}`, number: { value, text: raw } };
}

/** The string between two quotes, the second of which stands before `end`. */
function stringAt(text: string, start: number, end: number): string {
  if (skipPlain(text, start + 1) === end - 1) return text.slice(start + 1, end - 1);
  return String(JSON.parse(text.slice(start, end)));
}
