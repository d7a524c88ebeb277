import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from '../config/config.ts';
import { backUpStore } from '../store/sqlite/backup.ts';
import { DATABASE_FILE, KEY_FILES } from './data-folder.ts';

/**
 * Copies a data folder, keys included, into a new folder that `--data` can name; the server may
 * run meanwhile. Resolves with the size of the store in pages. Throws with a sentence.
 */
export async function backUpDataFolder(
  dataDir: string,
  target: string,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const database = join(dataDir, DATABASE_FILE);
  if (!existsSync(database)) throw new ConfigError(`There is no store at ${resolve(database)}.`);
  const folder = resolve(target);
  if (existsSync(folder))
    throw new ConfigError(`There is something at ${folder} already. Name a new folder.`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const pages = await backUpStore(database, join(folder, DATABASE_FILE), onProgress);
  for (const name of KEY_FILES)
    if (existsSync(join(dataDir, name))) copyFileSync(join(dataDir, name), join(folder, name));
  return pages;
}
