import { type Condition, holds, type PathCondition } from './conditions.ts';
import { quoted } from './conditions-limits.ts';
import type { Findings, Found, Scalar } from './payload-paths.ts';

/** Why a notification does not match: the path, and a sentence on what is there and what is wanted. */
export type Mismatch = { readonly path: string; readonly sentence: string };

/** Values and tests named in one sentence. */
const MOST_NAMED = 5;

/** Every condition that fails; none where the notification matches. */
export function mismatches(condition: Condition, findings: Findings): readonly Mismatch[] {
  if (holds(condition, findings)) return [];
  if (condition.kind === 'path') return [pathMismatch(condition, findings)];
  const failed = condition.parts.flatMap((part) => mismatches(part, findings));
  if (condition.kind === 'all') return failed;
  const sentences = failed.map(({ sentence }) => sentence).join(' ');
  return [{ path: '$or', sentence: `None of ${condition.parts.length} holds: ${sentences}` }];
}

function pathMismatch(condition: PathCondition, findings: Findings): Mismatch {
  const { path } = condition;
  const found = findings.get(path);
  const there = found === undefined ? 'is not in the notification' : describe(found);
  return { path, sentence: `${quoted(path)} ${there}; wanted is ${wanted(condition)}.` };
}

function describe({ values, hasMore }: Found): string {
  if (values.length === 0) return 'holds no text, number, true, false or null of its own';
  const named = values.slice(0, MOST_NAMED).map(nameOf).join(', ');
  const rest = values.length - MOST_NAMED;
  if (rest <= 0) return `is ${named}`;
  return `is ${named} and ${rest}${hasMore ? ' or more' : ''} others`;
}

function nameOf({ key, number }: Scalar): string {
  if (number !== null) return number.text.slice(0, 64);
  return key.startsWith('"') ? quoted(key.slice(1)) : key;
}

function wanted({ written }: PathCondition): string {
  const named = written.slice(0, MOST_NAMED).map((each) => wantedOne(each));
  const rest = written.length - named.length;
  return `${named.join(' or ')}${rest > 0 ? ` or ${rest} others` : ''}`;
}

/** A test as it was written, cut short; a value in quotes where it is a text. */
function wantedOne(written: string): string {
  if (written.startsWith('"')) return quoted(String(JSON.parse(written)));
  const short = written.length > 100 ? `${written.slice(0, 99)}…` : written;
  return short.replaceAll(/[\p{C}\p{Z}]/gu, ' ');
}
