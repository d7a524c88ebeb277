import type { Bound, Comparison, PathCondition, ValueTest } from './conditions.ts';
import { ConditionsError, LIMITS, quoted } from './conditions-limits.ts';
import { compareDecimals, readDecimal } from './decimal.ts';
import type { JsonScanner } from './json-scan.ts';
import { toScalar } from './payload-paths.ts';

/** How much was read, over the whole of the conditions. */
export type Tally = { paths: number; values: number; tests: number };

type Lists = {
  readonly exact: Set<string>;
  readonly tests: ValueTest[];
  readonly exists: Set<boolean>;
  readonly written: string[];
};
type Reader = { readonly scanner: JsonScanner; readonly path: string; readonly tally: Tally };

const KNOWN = 'prefix, suffix, equals-ignore-case, anything-but, numeric and exists';

/** The list of what is wanted at a path: any of it will do. */
export function readList(scanner: JsonScanner, path: string, tally: Tally): PathCondition {
  count(tally, 'paths');
  const reader = { scanner, path, tally };
  const lists: Lists = { exact: new Set(), tests: [], exists: new Set(), written: [] };
  scanner.array(() => {
    if (scanner.atArray()) throw refusal(reader, 'holds a list within its list.');
    const start = scanner.pos;
    if (scanner.atObject()) readTest(reader, lists);
    else lists.exact.add(readValue(reader));
    lists.written.push(scanner.text.slice(start, scanner.pos));
  });
  const { exact, tests, exists, written } = lists;
  if (written.length === 0) throw refusal(reader, 'has an empty list: nothing could match it.');
  return { kind: 'path', path, exact, tests, exists: existsOf(exists), written };
}

function existsOf(asked: ReadonlySet<boolean>): PathCondition['exists'] {
  if (asked.size === 2) return 'either';
  if (asked.size === 0) return null;
  return asked.has(true) ? 'yes' : 'no';
}

/** `{"<kind of test>": …}`. */
function readTest(reader: Reader, lists: Lists): void {
  const { scanner, tally } = reader;
  let members = 0;
  scanner.object((kind) => {
    members += 1;
    if (members > 1) throw refusal(reader, 'has an object with more than one test in it.');
    if (kind === 'exists') {
      lists.exists.add(readFlag(reader));
      return;
    }
    count(tally, 'tests');
    lists.tests.push(readTestOf(reader, kind));
  });
  if (members === 0) throw refusal(reader, `has an empty object; known tests are ${KNOWN}.`);
}

function readTestOf(reader: Reader, kind: string): ValueTest {
  switch (kind) {
    case 'prefix':
    case 'suffix':
    case 'equals-ignore-case':
      return textTest(kind, readText(reader, kind));
    case 'numeric':
      return { kind, bounds: readBounds(reader) };
    case 'anything-but':
      return readAnythingBut(reader);
    default:
      throw refusal(reader, `has an unknown test ${quoted(kind)}; known are ${KNOWN}.`);
  }
}

function textTest(kind: 'prefix' | 'suffix' | 'equals-ignore-case', text: string): ValueTest {
  if (kind === 'suffix') return { kind, text };
  return { kind, text: `"${kind === 'prefix' ? text : text.toLowerCase()}` };
}

/** A value, a list of values, or a `prefix`, `suffix` or `equals-ignore-case` of a text or a list of texts. */
function readAnythingBut(reader: Reader): ValueTest {
  const { scanner } = reader;
  const exact = new Set<string>();
  const tests: ValueTest[] = [];
  if (scanner.atObject()) readButTexts(reader, tests);
  else eachOf(reader, () => exact.add(readValue(reader)));
  return { kind: 'anything-but', exact, tests };
}

function readButTexts(reader: Reader, tests: ValueTest[]): void {
  reader.scanner.object((kind) => {
    if (tests.length > 0)
      throw refusal(reader, 'has an anything-but with more than one test in it.');
    if (kind !== 'prefix' && kind !== 'suffix' && kind !== 'equals-ignore-case') {
      throw refusal(
        reader,
        `has an anything-but with ${quoted(kind)}; it takes values, prefix, suffix or equals-ignore-case.`,
      );
    }
    eachOf(reader, () => {
      count(reader.tally, 'tests');
      tests.push(textTest(kind, readText(reader, kind)));
    });
  });
  if (tests.length === 0) throw refusal(reader, 'has an anything-but with an empty object.');
}

/** The one value there is, or each of a list of at least one. */
function eachOf(reader: Reader, read: () => void): void {
  const { scanner } = reader;
  if (!scanner.atArray()) {
    read();
    return;
  }
  let items = 0;
  scanner.array(() => {
    items += 1;
    read();
  });
  if (items === 0) throw refusal(reader, 'has an anything-but with an empty list.');
}

/** The key of a text, number, true, false or null. */
function readValue(reader: Reader): string {
  const { scanner, tally } = reader;
  count(tally, 'values');
  if (scanner.atArray() || scanner.atObject())
    throw refusal(reader, 'takes texts, numbers, true, false and null in anything-but.');
  const raw = scanner.raw();
  const isNumber = /^[-\d]/.test(raw);
  if (isNumber) checkNumber(reader, raw);
  else if (raw.length > LIMITS.text)
    throw refusal(reader, `has a text of more than ${LIMITS.text} characters.`);
  return toScalar(raw).key;
}

function checkNumber(reader: Reader, raw: string): void {
  const { exponent } = readDecimal(raw);
  if (raw.length <= LIMITS.number && Math.abs(exponent) <= LIMITS.exponent) return;
  throw refusal(
    reader,
    `has a number of more than ${LIMITS.number} characters, or beyond 10 to the power of ${LIMITS.exponent}.`,
  );
}

function readText(reader: Reader, kind: string): string {
  const { scanner } = reader;
  const raw = scanner.raw();
  const text: unknown = raw.length > LIMITS.text ? null : JSON.parse(raw);
  if (typeof text === 'string' && text !== '') return text;
  throw refusal(reader, `takes a text of 1 to ${LIMITS.text} characters for ${kind}.`);
}

function readFlag(reader: Reader): boolean {
  const raw = reader.scanner.raw();
  if (raw !== 'true' && raw !== 'false') throw refusal(reader, 'takes true or false for exists.');
  return raw === 'true';
}

const COMPARISONS: readonly Comparison[] = ['<', '<=', '=', '>=', '>'];

/** `[">=", 0, "<", 10]`: one comparison, or a lower and an upper bound. */
function readBounds(reader: Reader): readonly Bound[] {
  const { scanner } = reader;
  const bounds: Bound[] = [];
  let comparison: Comparison | undefined;
  if (!scanner.atArray()) throw badBounds(reader);
  scanner.array((index) => {
    const raw = scanner.raw();
    if (index > 3) throw badBounds(reader);
    if (index % 2 === 0) {
      comparison = COMPARISONS.find((known) => raw === JSON.stringify(known));
      return;
    }
    if (comparison === undefined || !/^[-\d]/.test(raw)) throw badBounds(reader);
    checkNumber(reader, raw);
    bounds.push({ comparison, than: readDecimal(raw) });
    comparison = undefined;
  });
  const [one, other] = bounds;
  if (comparison !== undefined || one === undefined) throw badBounds(reader);
  if (other !== undefined && !isRange(one, other)) throw badBounds(reader);
  return bounds;
}

/** A lower and an upper bound, in either order, with something between them. */
function isRange(one: Bound, other: Bound): boolean {
  const [lower, upper] = one.comparison.startsWith('>') ? [one, other] : [other, one];
  if (!lower.comparison.startsWith('>') || !upper.comparison.startsWith('<')) return false;
  const order = compareDecimals(lower.than, upper.than);
  return order < 0 || (order === 0 && lower.comparison === '>=' && upper.comparison === '<=');
}

function badBounds(reader: Reader): ConditionsError {
  return refusal(
    reader,
    'takes one comparison for numeric, such as [">=", 10], or a lower and an upper bound, such as [">", 0, "<=", 10]. Known are <, <=, =, >= and >.',
  );
}

function count(tally: Tally, what: keyof Tally): void {
  tally[what] += 1;
  if (tally[what] <= LIMITS[what]) return;
  const those = what === 'tests' ? 'tests such as prefix and numeric' : what;
  throw new ConditionsError(`Conditions take at most ${LIMITS[what]} ${those}.`);
}

function refusal({ path }: Reader, what: string): ConditionsError {
  return new ConditionsError(`${quoted(path)} ${what}`);
}
