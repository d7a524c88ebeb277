import { ERASED } from './erasing.ts';
import type { Filter, SubjectPath } from './filter.ts';

/** A learner or course that a notification is about. */
export type Subject = { readonly kind: SubjectPath['kind']; readonly value: string };

/** No more subjects than this are taken from one notification. */
export const MAX_SUBJECTS = 1000;
/** Longer values are no ids, e-mail addresses or login names. */
export const MAX_SUBJECT_LENGTH = 320;

/**
 * What a parsed notification is found by, by a filter's paths: each key once, in the order of the
 * paths. What is missing or of another type is left out: a publisher may send less than the schema.
 */
export function subjectKeysIn(
  subjects: readonly SubjectPath[],
  notification: unknown,
): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { kind, path } of subjects) visit(notification, stepsOf(path), 0, { kind, found });
  return found;
}

/** The same of a notification's JSON text; nothing for a filter that is not known. */
export function subjectKeys(
  filter: Pick<Filter, 'subjects'> | undefined,
  text: string,
): readonly string[] {
  if (filter === undefined || filter.subjects.length === 0) return [];
  return [...subjectKeysIn(filter.subjects, JSON.parse(text))];
}

type Step = { readonly name: string; readonly isList: boolean };

/** Paths are those of the filters: few, and asked for with every event. */
const MAX_KNOWN_PATHS = 1000;
const knownPaths = new Map<string, readonly Step[]>();

function stepsOf(path: string): readonly Step[] {
  let steps = knownPaths.get(path);
  if (steps === undefined) {
    steps = path.split('.').map((step) => {
      const isList = step.endsWith('[]');
      return { name: isList ? step.slice(0, -2) : step, isList };
    });
    if (knownPaths.size >= MAX_KNOWN_PATHS) knownPaths.clear();
    knownPaths.set(path, steps);
  }
  return steps;
}

type Finding = { readonly kind: Subject['kind']; readonly found: Set<string> };

/** Adds the key of every value at a path such as `Users[].Id`. */
function visit(value: unknown, steps: readonly Step[], at: number, finding: Finding): void {
  const step = steps[at];
  if (step === undefined) return add(value, finding);
  const member = memberOf(value, step.name);
  if (!step.isList) return visit(member, steps, at + 1, finding);
  if (!Array.isArray(member)) return;
  for (const item of member) visit(item, steps, at + 1, finding);
}

function add(leaf: unknown, { kind, found }: Finding): void {
  const value = subjectText(leaf);
  if (value !== undefined && found.size < MAX_SUBJECTS) found.add(subjectKey({ kind, value }));
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

/**
 * What a subject is found by: its kind and its value. E-mail addresses and login names (which hold
 * `@` or a backslash) are the same in any case; ids are not.
 */
export function subjectKey({ kind, value }: Subject): string {
  if (!/[@\\]/.test(value)) return `${kind} ${value}`;
  // Printable ASCII is the same in every form of Unicode.
  const normal = /[^ -~]/.test(value) ? value.normalize('NFC') : value;
  return `${kind} ${normal.toLowerCase()}`;
}

/** What the notifications of an action are found by. */
export function actionKey(action: string): string {
  return `action ${action.toLowerCase()}`;
}

/** The subject paths of the filters that have any, by their names in lower case. */
export type SubjectPaths = Readonly<Record<string, readonly SubjectPath[]>>;

/** A key by which an event is found, and which of its notifications have it; null for all of them. */
export type EventKey = readonly [key: string, picks: readonly number[] | null];

/**
 * Everything an event is found by: the actions and subjects of its notifications, each key once. A
 * notification that no filter describes is found by its action only.
 */
export function eventKeys(
  paths: SubjectPaths,
  actions: readonly string[],
  notifications: readonly string[],
): readonly EventKey[] {
  if (actions.length === 1)
    return keysOf(paths, actions[0] ?? '', notifications[0] ?? '').map((key) => [key, null]);
  const found = new Map<string, number[]>();
  for (const [index, action] of actions.entries()) {
    for (const key of keysOf(paths, action, notifications[index] ?? '')) {
      const picks = found.get(key);
      if (picks === undefined) found.set(key, [index]);
      else picks.push(index);
    }
  }
  return [...found].map(([key, picks]) => [key, picks.length === actions.length ? null : picks]);
}

/** Every key that a notification may have by whatever paths: those of all texts and numbers in it. */
export function possibleKeys(notification: string): ReadonlySet<string> {
  const found = new Set<string>();
  const leaves: unknown[] = [JSON.parse(notification)];
  for (let leaf = leaves.pop(); leaf !== undefined; leaf = leaves.pop()) {
    if (typeof leaf === 'object' && leaf !== null) {
      for (const value of Object.values(leaf)) leaves.push(value);
      continue;
    }
    const value = subjectText(leaf);
    if (value === undefined) continue;
    for (const kind of KINDS) found.add(subjectKey({ kind, value }));
  }
  return found;
}

const KINDS = ['learner', 'course'] as const;

function keysOf(paths: SubjectPaths, action: string, notification: string): readonly string[] {
  const name = action.toLowerCase();
  const subjects = Object.hasOwn(paths, name) ? (paths[name] ?? []) : [];
  const found = notification === ERASED ? [] : subjectKeys({ subjects }, notification);
  return [actionKey(action), ...found];
}
