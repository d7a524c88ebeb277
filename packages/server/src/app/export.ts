import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError } from '../config/config.ts';
import { newId } from '../core/id.ts';
import type { Moving, Summary } from '../store/moving.ts';
import { DATABASE_FILE } from './data-folder.ts';
import { KEY_CHECK } from './encryption.ts';
import { refuseHalfImport } from './import-note.ts';
import { openFileWriter } from './moving-file.ts';
import { openMoving, type OnProgress, placeOf, refuseWhileUsed } from './moving.ts';

export type ExportOptions = {
  readonly config: Config;
  /** Must not be there yet. */
  readonly file: string;
  readonly onProgress: OnProgress;
};

export type Exported = { readonly from: string; readonly rows: number };

/**
 * Writes a whole installation to a file, from a store that no server has open. Cut short, it leaves
 * `<file>.part` and begins again the next time. Throws ConfigError or Error with a sentence.
 */
export async function exportInstallation(options: ExportOptions): Promise<Exported> {
  const { config, file } = options;
  if (existsSync(file))
    throw new ConfigError(`There is something at ${file} already. Name a new file.`);
  refuseWithoutStore(config);
  const moving = await openMoving(config);
  try {
    const joins = await refuseWhileUsed(moving);
    await refuseHalfImport(moving);
    const rows = await write(moving, options, async () => {
      if ((await refuseWhileUsed(moving)) === joins) return;
      throw new ConfigError('A node was started meanwhile. Stop all nodes, and export again.');
    });
    return { from: placeOf(config), rows };
  } finally {
    await moving.close();
  }
}

function refuseWithoutStore({ databaseUrl, dataDir }: Config): void {
  if (databaseUrl !== null || existsSync(join(dataDir, DATABASE_FILE))) return;
  throw new ConfigError(
    `There is no store in ${dataDir}. Name its folder with --data, or PostgreSQL with --database-url.`,
  );
}

/** A wrong name of a database is found out now, rather than when the file is needed. */
async function summaryOf(moving: Moving, config: Config): Promise<Summary> {
  const summary = await moving.summary();
  if (summary.rows.tenants > 0) return summary;
  throw new ConfigError(
    `There is nothing in ${placeOf(config)}: no server was ever started on it.`,
  );
}

/** `check` is asked before the file counts as whole. */
async function write(
  moving: Moving,
  { config, file, onProgress }: ExportOptions,
  check: () => Promise<void>,
): Promise<number> {
  const { rows, lastPlace } = await summaryOf(moving, config);
  const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const writer = await openFileWriter(file, {
    Id: newId(Date.now()),
    Rows: total,
    LastPlace: lastPlace,
    EncryptionCheck: (await moving.setting(KEY_CHECK)) ?? null,
  });
  let done = 0;
  onProgress('Exporting', done, total);
  try {
    await moving.dump(async (page) => {
      await writer.write(page);
      done += page.rows.length;
      onProgress('Exporting', done, total);
    });
    await check();
    onProgress('Exporting', done, done);
    return await writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}
