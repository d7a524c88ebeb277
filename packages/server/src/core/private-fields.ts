import { JsonScanner } from './json-scan.ts';
import { MASKED } from './mask.ts';

/** Member names that lead to values which are not shown; null where one stands. */
export type PrivateFields = ReadonlyMap<string, PrivateFields | null>;

/** The paths as one tree; undefined where there are none. A path that goes on behind another is part of that. */
export function privateFields(paths: readonly string[]): PrivateFields | undefined {
  if (paths.length === 0) return undefined;
  const root: Growing = new Map();
  for (const path of paths) add(root, path.split('.'));
  return root;
}

type Growing = Map<string, Growing | null>;

function add(node: Growing, [name = '', ...rest]: readonly string[]): void {
  const child = node.get(name);
  if (rest.length === 0) node.set(name, null);
  else if (child !== null) {
    const next: Growing = child ?? new Map();
    node.set(name, next);
    add(next, rest);
  }
}

/** Where a value stands in a text. */
type Span = readonly [start: number, end: number];

/**
 * A notification with a text of asterisks in place of each private value, whatever kind of value
 * that is. Everything else stays as the publisher wrote it. It must be JSON that was checked before.
 */
export function maskFields(notification: string, fields: PrivateFields): string {
  let shown = '';
  let at = 0;
  for (const [start, end] of spansOf(notification, fields)) {
    shown += `${notification.slice(at, start)}"${MASKED}"`;
    at = end;
  }
  return shown + notification.slice(at);
}

/** The private values of a notification as they may turn up elsewhere: as they are written in JSON, and as texts. */
export function privateTexts(notification: string, fields: PrivateFields): readonly string[] {
  const found = spansOf(notification, fields).flatMap(([start, end]) => {
    const raw = notification.slice(start, end);
    const leaves = leavesOf(JSON.parse(raw));
    return [
      raw.replace(/^"(.*)"$/s, '$1'),
      ...leaves.flatMap((leaf) => [leaf, JSON.stringify(leaf).slice(1, -1)]),
    ];
  });
  return [...new Set(found)];
}

function leavesOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value === 'number') return [String(value)];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOf) : [];
}

function spansOf(notification: string, fields: PrivateFields): Span[] {
  const spans: Span[] = [];
  walk(new JsonScanner(notification), fields, spans);
  return spans;
}

/** Lists count as each of their items. */
function walk(scanner: JsonScanner, fields: PrivateFields, spans: Span[]): void {
  if (scanner.atObject()) {
    scanner.object((name) => {
      const child = fields.get(name);
      if (child === undefined) scanner.skip();
      else if (child === null) spans.push(spanOfNext(scanner));
      else walk(scanner, child, spans);
    });
  } else if (scanner.atArray()) scanner.array(() => walk(scanner, fields, spans));
  else scanner.skip();
}

function spanOfNext(scanner: JsonScanner): Span {
  scanner.peek();
  const start = scanner.pos;
  scanner.skip();
  return [start, scanner.pos];
}
