import type { Condition } from './conditions.ts';
import { ConditionsError, LIMITS, quoted } from './conditions-limits.ts';
import { readList, type Tally } from './conditions-values.ts';
import { JsonScanner } from './json-scan.ts';

/** In place of a member's name: any of these. */
const ANY_OF = '$or';

/** The member names around what is read, and how many objects are open. */
type Place = { readonly names: readonly string[]; readonly depth: number };
type Reader = { readonly scanner: JsonScanner; readonly tally: Tally };

/**
 * Reads conditions in the style of Amazon EventBridge's event patterns from compact JSON. Throws
 * ConditionsError with a sentence that names the path and says what is wanted.
 */
export function readConditions(text: string): Condition {
  if (text.length > LIMITS.length)
    throw new ConditionsError(`Conditions take at most ${LIMITS.length} characters of JSON.`);
  const scanner = new JsonScanner(text);
  if (!scanner.atObject()) {
    throw new ConditionsError(
      'Conditions are an object of paths and lists, such as {"Course.Id": ["…"]}.',
    );
  }
  const reader = { scanner, tally: { paths: 0, values: 0, tests: 0 } };
  const condition = readObject(reader, { names: [], depth: 1 });
  scanner.expectEnd();
  return condition;
}

/** All members must hold. */
function readObject(reader: Reader, place: Place): Condition {
  const { names, depth } = place;
  if (depth > LIMITS.depth) {
    throw new ConditionsError(
      `${nameOf(names)} lies too deep: at most ${LIMITS.depth} levels are read.`,
    );
  }
  const seen = new Set<string>();
  const parts: Condition[] = [];
  reader.scanner.object((key) => {
    if (seen.has(key)) throw new ConditionsError(`${nameOf([...names, key])} stands twice.`);
    seen.add(key);
    parts.push(key === ANY_OF ? readAnyOf(reader, place) : readMember(reader, key, place));
  });
  const [first] = parts;
  if (first === undefined) {
    throw new ConditionsError(
      `${nameOf(names)} is an empty object. Leave it out where everything is wanted, or name a path and its values.`,
    );
  }
  return parts.length === 1 ? first : { kind: 'all', parts };
}

function readMember(reader: Reader, key: string, { names, depth }: Place): Condition {
  const inner = [...names, ...namesOf(key)];
  if (inner.length > LIMITS.names) {
    throw new ConditionsError(
      `${nameOf(inner)} is too long a path: at most ${LIMITS.names} names are read.`,
    );
  }
  const { scanner, tally } = reader;
  if (scanner.atObject()) return readObject(reader, { names: inner, depth: depth + 1 });
  if (scanner.atArray()) return readList(scanner, inner.join('.'), tally);
  throw new ConditionsError(
    `${nameOf(inner)} takes a list of what is wanted, such as ["…"], or an object of further names.`,
  );
}

function namesOf(key: string): readonly string[] {
  const names = key.split('.');
  if (names.includes('')) {
    throw new ConditionsError(
      `${quoted(key)} is not a path: member names joined by dots, such as Course.Id.`,
    );
  }
  const unknown = names.find((name) => name.startsWith('$'));
  if (unknown !== undefined) {
    throw new ConditionsError(
      `${quoted(unknown)} is not known. There is ${ANY_OF}, which stands as a member of its own.`,
    );
  }
  if (names.some((name) => name.length > LIMITS.name))
    throw new ConditionsError(`A name in a path takes at most ${LIMITS.name} characters.`);
  return names;
}

function readAnyOf(reader: Reader, { names, depth }: Place): Condition {
  const where = nameOf([...names, ANY_OF]);
  const { scanner } = reader;
  const shape = `${where} takes a list of objects, such as [{"Course.Id": ["…"]}, {"Course.Title": ["…"]}].`;
  if (!scanner.atArray()) throw new ConditionsError(shape);
  const parts: Condition[] = [];
  scanner.array(() => {
    if (!scanner.atObject()) throw new ConditionsError(shape);
    if (parts.length === LIMITS.alternatives)
      throw new ConditionsError(`${where} takes at most ${LIMITS.alternatives} objects.`);
    parts.push(readObject(reader, { names, depth: depth + 1 }));
  });
  if (parts.length === 0) throw new ConditionsError(`${where} is empty: nothing could match it.`);
  return { kind: 'any', parts };
}

function nameOf(names: readonly string[]): string {
  return names.length === 0 ? 'Conditions' : quoted(names.join('.'));
}
