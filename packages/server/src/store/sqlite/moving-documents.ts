import type { DatabaseSync } from 'node:sqlite';
import type { MovedKind, MovedRow } from '../moving.ts';
import { installationWrites } from './write-installation.ts';

/** Of the calls that the server uses: the one that reads all of a kind, and the one that writes one. */
const CALLS = {
  tenants: ['tenants', 'insertTenant'],
  api_keys: ['keys', 'insertKey'],
  registrations: ['registrations', 'insertRegistration'],
  filters: ['filters', 'putFilter'],
} as const;

/** What is moved as the JSON of what `core/` calls it: tables that a server reads whole. */
export type DocumentKind = keyof typeof CALLS;

export function isDocumentKind(kind: MovedKind): kind is DocumentKind {
  return kind in CALLS;
}

export function documentsOf(database: DatabaseSync, kind: DocumentKind): MovedRow[] {
  const [read] = CALLS[kind];
  const all = call(database, read) as readonly object[];
  return all.map((each) => [JSON.stringify(each)]);
}

export function writeDocuments(
  database: DatabaseSync,
  kind: DocumentKind,
  rows: readonly MovedRow[],
): void {
  const [, write] = CALLS[kind];
  for (const [json] of rows) call(database, write, JSON.parse(String(json)) as object);
}

function call(database: DatabaseSync, name: string, ...args: readonly object[]): unknown {
  const method = installationWrites(database)[name];
  if (method === undefined) throw new Error(`the store has no function ${name}`);
  return method(...(args as never[]));
}
