/** Conditions that cannot be taken. The message is a sentence that names the path. */
export class ConditionsError extends Error {
  override readonly name = 'ConditionsError';
}

/** What the conditions of one registration take at most: they are looked at for every event. */
export const LIMITS = {
  /** Characters of JSON without white space. */
  length: 16_384,
  /** Levels of objects. */
  depth: 8,
  /** Member names in a path, and the characters of each. */
  names: 16,
  name: 128,
  paths: 50,
  values: 500,
  /** Values that are more than compared: prefixes, numeric ranges and the like. */
  tests: 20,
  /** Conditions in one `$or`. */
  alternatives: 20,
  /** Characters of a text, and of a number. */
  text: 1024,
  number: 64,
  /** Powers of ten in a number. */
  exponent: 400,
} as const;

/** A path or a value from strangers as it may stand in a sentence. */
export function quoted(text: string): string {
  const short = text.length > 64 ? `${text.slice(0, 63)}…` : text;
  return JSON.stringify(short.replaceAll(/[\p{C}\p{Z}]/gu, ' '));
}
