import type { SQLInputValue } from 'node:sqlite';
import { type Id, idAt } from '../../core/id.ts';

/** One line of a `where`, and what it compares with. */
export type Condition = readonly [sql: string, value: SQLInputValue];

/** Ids grow with time, so that times and the last id seen are bounds of one kind. */
export function idRange(
  { from, to, before }: { readonly from?: number; readonly to?: number; readonly before?: Id },
  id: string,
): Condition[] {
  const range: Condition[] = [];
  if (from !== undefined) range.push([`${id} >= ?`, idAt(from)]);
  if (to !== undefined) range.push([`${id} < ?`, idAt(to)]);
  if (before !== undefined) range.push([`${id} < ?`, before]);
  return range;
}

export function where(conditions: readonly Condition[]): string {
  return conditions.length === 0
    ? ''
    : `\n where ${conditions.map(([sql]) => sql).join('\n   and ')}`;
}

export function values(conditions: readonly Condition[]): SQLInputValue[] {
  return conditions.map(([, value]) => value);
}
