import { readdirSync, readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { APPLICATION_ID } from './open.ts';

const FOLDER = new URL('./migrations/', import.meta.url);

/** Brings the schema to this version's, each step in a transaction of its own. Throws for a newer one. */
export function migrate(database: DatabaseSync): void {
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{4}\.sql$/.test(name))
    .toSorted();
  const current = versionOf(database);
  if (current > files.length) {
    throw new Error(
      `The database was written by a newer Schoolbell (schema ${current}; this one knows ${files.length}). Start that version, or restore a backup.`,
    );
  }
  for (const [index, name] of files.entries()) {
    if (index < current) continue;
    const sql = readFileSync(new URL(name, FOLDER), 'utf8');
    database.exec(
      `begin immediate;\n${sql}\npragma application_id = ${APPLICATION_ID};\npragma user_version = ${index + 1};\ncommit;`,
    );
  }
}

function versionOf(database: DatabaseSync): number {
  const row = database.prepare('pragma user_version').get();
  return Number(row?.['user_version'] ?? 0);
}
