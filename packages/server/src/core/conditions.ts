import { compareDecimals, type Decimal } from './decimal.ts';
import { unreachable } from './errors.ts';
import type { Findings, Scalar } from './payload-paths.ts';

/**
 * What a notification must hold to reach a registration: a closed set of tests, each of which takes
 * time that grows with the texts compared and nothing else.
 */
export type Condition =
  | { readonly kind: 'all' | 'any'; readonly parts: readonly Condition[] }
  | PathCondition;

/** Holds when any value at the path passes any of the tests. */
export type PathCondition = {
  readonly kind: 'path';
  /** Member names joined by dots. */
  readonly path: string;
  /** Keys of scalars. */
  readonly exact: ReadonlySet<string>;
  readonly tests: readonly ValueTest[];
  /** The path is, or is not, in the notification; null where that is not asked. */
  readonly exists: 'yes' | 'no' | 'either' | null;
  /** The tests as they were written, for people. */
  readonly written: readonly string[];
};

export type Comparison = '<' | '<=' | '=' | '>=' | '>';
export type Bound = { readonly comparison: Comparison; readonly than: Decimal };

/** Texts of `prefix` and the like begin with a quote where scalars' keys do. */
export type ValueTest =
  | { readonly kind: 'prefix' | 'suffix' | 'equals-ignore-case'; readonly text: string }
  | { readonly kind: 'numeric'; readonly bounds: readonly Bound[] }
  | {
      readonly kind: 'anything-but';
      readonly exact: ReadonlySet<string>;
      readonly tests: readonly ValueTest[];
    };

/** Every path that the condition looks at, as often as it does. */
export function pathsOf(condition: Condition): readonly string[] {
  return condition.kind === 'path' ? [condition.path] : condition.parts.flatMap(pathsOf);
}

/** True when what was found in a notification, at all paths of the condition, is what is wanted. */
export function holds(condition: Condition, findings: Findings): boolean {
  if (condition.kind === 'path') return pathHolds(condition, findings);
  const { kind, parts } = condition;
  return kind === 'all'
    ? parts.every((part) => holds(part, findings))
    : parts.some((part) => holds(part, findings));
}

function pathHolds({ path, exact, tests, exists }: PathCondition, findings: Findings): boolean {
  const found = findings.get(path);
  if (found === undefined) return exists === 'no' || exists === 'either';
  if (exists === 'yes' || exists === 'either') return true;
  if (found.values.some((value) => passes(value, exact, tests))) return true;
  // Rather one notification too many than one lost to a limit.
  return found.hasMore && (exact.size > 0 || tests.length > 0);
}

function passes(value: Scalar, exact: ReadonlySet<string>, tests: readonly ValueTest[]): boolean {
  return exact.has(value.key) || tests.some((test) => passesTest(value, test));
}

function passesTest(value: Scalar, test: ValueTest): boolean {
  const { key } = value;
  switch (test.kind) {
    case 'prefix':
      return key.startsWith(test.text);
    case 'suffix':
      return isText(key) && key.length > test.text.length && key.endsWith(test.text);
    case 'equals-ignore-case':
      // Lower case is never shorter: nothing longer can be the same.
      return key.length <= test.text.length && key.toLowerCase() === test.text;
    case 'numeric':
      return value.number !== null && isWithin(value.number.value, test.bounds);
    case 'anything-but':
      return !passes(value, test.exact, test.tests);
    default:
      return unreachable(test);
  }
}

function isText(key: string): boolean {
  return key.startsWith('"');
}

function isWithin(value: Decimal, bounds: readonly Bound[]): boolean {
  return bounds.every(({ comparison, than }) => {
    const order = compareDecimals(value, than);
    switch (comparison) {
      case '<':
        return order < 0;
      case '<=':
        return order <= 0;
      case '=':
        return order === 0;
      case '>=':
        return order >= 0;
      case '>':
        return order > 0;
      default:
        return unreachable(comparison);
    }
  });
}
