import type { Filter, SubjectPath } from '../core/filter.ts';

/** A learner or course that a notification is about. */
export type Subject = { readonly kind: SubjectPath['kind']; readonly value: string };

/** No more subjects than this are taken from one notification. */
export const MAX_SUBJECTS = 1000;
/** Longer values are no ids, e-mail addresses or login names. */
export const MAX_SUBJECT_LENGTH = 320;

/**
 * The subjects that a filter's paths find in a parsed notification, each once, in the order of the
 * paths. What is missing or of another type is left out: a publisher may send less than the schema.
 */
export function extractSubjects(
  filter: Pick<Filter, 'subjects'>,
  notification: unknown,
): readonly Subject[] {
  const found = new Map<string, Subject>();
  for (const { kind, path } of filter.subjects) {
    for (const leaf of leavesAt(notification, path)) {
      const value = subjectText(leaf);
      if (value === undefined) continue;
      if (found.size === MAX_SUBJECTS) return [...found.values()];
      found.set(`${kind} ${value}`, { kind, value });
    }
  }
  return [...found.values()];
}

/** Every value at a path such as `Users[].Id`. */
function leavesAt(root: unknown, path: string): unknown[] {
  let values: unknown[] = [root];
  for (const step of path.split('.')) {
    const isList = step.endsWith('[]');
    const name = isList ? step.slice(0, -2) : step;
    values = values.map((value) => memberOf(value, name));
    if (isList) values = values.flatMap((value) => (Array.isArray(value) ? value : []));
  }
  return values;
}

/** Own members only: a path must not reach what every object inherits. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** Numbers beyond 2^53 were rounded by the parser, so they would name somebody else. */
function subjectText(value: unknown): string | undefined {
  const text = Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || text === '' || text.length > MAX_SUBJECT_LENGTH) return undefined;
  return text;
}
