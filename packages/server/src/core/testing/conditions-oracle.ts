import fc from 'fast-check';
import { unreachable } from '../errors.ts';

/** JSON as a tree that keeps duplicates and how numbers are written. */
export type Tree =
  | { kind: 'word'; text: 'true' | 'false' | 'null' }
  | { kind: 'number'; text: string }
  | { kind: 'string'; value: string }
  | { kind: 'list'; items: Tree[] }
  | { kind: 'object'; members: [string, Tree][] };

/** White space and escapes as a publisher may write them. */
export function write(tree: Tree, space: string): string {
  const name = (text: string): string =>
    space === '' ? JSON.stringify(text) : `"${text.split('').map(escaped).join('')}"`;
  switch (tree.kind) {
    case 'string':
      return name(tree.value);
    case 'list':
      return `[${space}${tree.items.map((item) => write(item, space)).join(`${space},${space}`)}${space}]`;
    case 'object':
      return `{${space}${tree.members
        .map(([key, value]) => `${name(key)}${space}:${space}${write(value, space)}`)
        .join(`${space},${space}`)}${space}}`;
    case 'number':
    case 'word':
      return tree.text;
    default:
      return unreachable(tree);
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The rule as plainly as it can be said: what stands at a path, through lists. */
function at(tree: Tree, path: readonly string[]): { isThere: boolean; values: Tree[] } {
  if (tree.kind === 'list') {
    const each = tree.items.map((item) => at(item, path));
    return {
      isThere: path.length === 0 || each.some(({ isThere }) => isThere),
      values: each.flatMap(({ values }) => values),
    };
  }
  const [name, ...rest] = path;
  if (name === undefined) return { isThere: true, values: tree.kind === 'object' ? [] : [tree] };
  const members = tree.kind === 'object' ? tree.members.filter(([key]) => key === name) : [];
  const each = members.map(([, value]) => at(value, rest));
  return {
    isThere: each.some(({ isThere }) => isThere),
    values: each.flatMap(({ values }) => values),
  };
}

/** Conditions as JavaScript values; numbers as `[text]` boxes, so that they keep their digits. */
export type Wanted = { readonly [member: string]: unknown };

export function plainly(wanted: Wanted, tree: Tree, around: readonly string[] = []): boolean {
  return Object.entries(wanted).every(([key, value]) => {
    if (key === '$or') return (value as Wanted[]).some((part) => plainly(part, tree, around));
    const path = [...around, ...key.split('.')];
    if (!Array.isArray(value)) return plainly(value as Wanted, tree, path);
    const { isThere, values } = at(tree, path);
    return value.some((one: unknown) => {
      if (isTest(one) && 'exists' in one) return one['exists'] === isThere;
      return values.some((found) => accepts(one, found));
    });
  });
}

function isTest(one: unknown): one is Wanted {
  return typeof one === 'object' && one !== null && !(one instanceof Numeral);
}

/** A number as it is written. */
class Numeral {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function accepts(one: unknown, found: Tree): boolean {
  if (one instanceof Numeral)
    return found.kind === 'number' && compare(found.text, one.text) === 0n;
  if (!isTest(one)) {
    if (found.kind === 'string') return found.value === one;
    return found.kind === 'word' && found.text === String(one) && typeof one !== 'string';
  }
  const [[kind, argument] = ['', null]] = Object.entries(one);
  const text = found.kind === 'string' ? found.value : null;
  if (kind === 'prefix') return text?.startsWith(argument as string) ?? false;
  if (kind === 'suffix') return text?.endsWith(argument as string) ?? false;
  if (kind === 'equals-ignore-case')
    return text?.toLowerCase() === (argument as string).toLowerCase();
  if (kind === 'anything-but') {
    if (!isTest(argument) || Array.isArray(argument))
      return ![argument].flat().some((each) => accepts(each, found));
    const [[inner, texts] = ['', '']] = Object.entries(argument);
    return ![texts].flat().some((each) => accepts({ [inner]: each }, found));
  }
  const bounds = argument as (string | Numeral)[];
  return (
    found.kind === 'number' &&
    bounds.every((bound, index) => {
      const than = bounds[index + 1];
      if (!(than instanceof Numeral)) return true;
      const order = compare(found.text, than.text);
      const signs: Record<string, boolean> = {
        '<': order < 0n,
        '>': order > 0n,
        '=': order === 0n,
      };
      return (bound as string).split('').some((sign) => signs[sign]);
    })
  );
}

/** By whole numbers: both times 10 to the power of 40. */
function compare(one: string, other: string): bigint {
  return scaled(one) - scaled(other);
}

function scaled(text: string): bigint {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const sign = whole.startsWith('-') ? -1n : 1n;
  const digits = BigInt(whole.replace('-', '') + fraction);
  return sign * digits * 10n ** BigInt(40 + Number(power) - fraction.length);
}

const name = fc.constantFrom('a', 'a', 'a', 'b', 'b', 'Id', 'é"\\', '__proto__');
const word = fc.constantFrom('', 'x', 'X', 'Web', 'WebX', 'xWeb', '5', 'true', '"', 'İ', '\ud800');
const numeral = fc.constantFrom(
  '0',
  '-0',
  '0.0',
  '0e9',
  '5',
  '5.0',
  '50e-1',
  '0.5e1',
  '-5',
  '5.1',
  '500',
  '5e2',
  '12345678901234567890',
  '12345678901234567891',
  '1.2345678901234567890e19',
  '1e-20',
);
const scalar = fc.oneof(
  word.map((value): Tree => ({ kind: 'string', value })),
  numeral.map((text): Tree => ({ kind: 'number', text })),
  fc.constantFrom('true', 'false', 'null').map((text): Tree => ({ kind: 'word', text })),
);
const { tree } = fc.letrec<{ tree: Tree; object: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('tree'), { maxLength: 3 }).map((items): Tree => ({ kind: 'list', items })),
    tie('object'),
  ),
  object: fc
    .array(fc.tuple(name, tie('tree')), { maxLength: 4 })
    .map((members): Tree => ({ kind: 'object', members })),
}));
export const notification = fc
  .tuple(tree, tree, fc.array(fc.tuple(name, tree), { maxLength: 3 }))
  .map(([a, b, rest]): Tree => ({ kind: 'object', members: [['a', a], ...rest, ['b', b]] }));

const filled = word.filter((text) => text !== '');
const number = numeral.map((text) => new Numeral(text));
const plain: fc.Arbitrary<unknown> = fc.oneof(word, number, fc.constantFrom(true, false, null));
const textTest = fc
  .tuple(fc.constantFrom('prefix', 'suffix', 'equals-ignore-case'), filled)
  .map(([kind, text]) => ({ [kind]: text }));
const range = fc
  .tuple(fc.constantFrom('>', '>='), number, fc.constantFrom('<', '<='), number)
  .filter(([, low, , high]) => compare(low.text, high.text) < 0n);
const wantedValue: fc.Arbitrary<unknown> = fc.oneof(
  plain,
  textTest,
  fc.boolean().map((exists) => ({ exists })),
  fc
    .oneof(plain, fc.array(plain, { minLength: 1, maxLength: 3 }), textTest)
    .map((but) => ({ 'anything-but': but })),
  fc
    .oneof(
      fc.tuple(fc.constantFrom('<', '<=', '=', '>=', '>'), number),
      range,
      range.map(([low, than, high, limit]) => [high, limit, low, than]),
    )
    .map((numeric) => ({ numeric })),
);
const path = fc.array(name, { minLength: 1, maxLength: 2 }).map((names) => names.join('.'));
export const { wanted } = fc.letrec<{ wanted: Wanted; member: unknown }>((tie) => ({
  member: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 4, arbitrary: fc.array(wantedValue, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: tie('wanted') },
  ),
  wanted: fc
    .tuple(
      fc.uniqueArray(fc.tuple(path, tie('member')), {
        minLength: 1,
        maxLength: 2,
        selector: ([key]) => key,
      }),
      fc.option(fc.array(tie('wanted'), { minLength: 1, maxLength: 2 }), {
        freq: 4,
        maxDepth: 3,
        depthSize: 'xsmall',
        nil: undefined,
      }),
    )
    .map(([members, any]): Wanted => {
      const all = any === undefined ? members : [...members, ['$or', any] as [string, unknown]];
      return Object.fromEntries(all);
    }),
}));

export function writeWanted(value: unknown): string {
  if (value instanceof Numeral) return value.text;
  if (Array.isArray(value)) return `[${value.map(writeWanted).join(',')}]`;
  if (!isTest(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}:${writeWanted(one)}`,
  );
  return `{${members.join(',')}}`;
}
