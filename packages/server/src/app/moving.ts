import { join } from 'node:path';
import { type Config, ConfigError } from '../config/config.ts';
import type { Moving } from '../store/moving.ts';
import { openPostgresMoving } from '../store/postgres/moving.ts';
import { openSqliteMoving } from '../store/sqlite/moving.ts';
import { DATABASE_FILE } from './data-folder.ts';
import { postgresOptions, refusePostgres } from './installation.ts';

export type Stage = 'Checking' | 'Exporting' | 'Importing';

/** Told from time to time: rows done, of how many. */
export type OnProgress = (stage: Stage, done: number, of: number) => void;

/** Opens the store that is configured, for moving. Throws ConfigError with a sentence. */
export async function openMoving(config: Config): Promise<Moving> {
  if (config.databaseUrl !== null)
    return openPostgresMoving(postgresOptions(config)).catch(refusePostgres);
  try {
    return openSqliteMoving(join(config.dataDir, DATABASE_FILE));
  } catch (cause) {
    throw new ConfigError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** What was sent or accepted while rows are read would come twice, or be lost. Tells how often nodes have joined. */
export async function refuseWhileUsed(moving: Moving): Promise<number> {
  const { running, joins } = await moving.users();
  if (running.length === 0) return joins;
  throw new ConfigError(
    `The store is in use by these nodes: ${running.join(', ')}. Stop them first; one that was killed is gone after five seconds.`,
  );
}

/** Where an installation is. */
export function placeOf(config: Config): string {
  if (config.databaseUrl === null) return config.dataDir;
  const { host, pathname } = new URL(config.databaseUrl);
  return `PostgreSQL at ${host}${pathname}`;
}
