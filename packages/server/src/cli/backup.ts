import { Command } from 'commander';
import { backUpDataFolder } from '../app/backup.ts';
import { readConfig } from '../config/config.ts';
import { OPTIONS } from '../config/options.ts';
import { failure } from './failure.ts';
import { flagOf } from './flags.ts';

/** `schoolbell backup <folder>`: a copy of the embedded store and its keys, taken while the server runs. */
export function backupCommand(): Command {
  const { data } = OPTIONS;
  return new Command('backup')
    .description(
      'Copy the data folder, keys included, into a new folder, while the server runs or not. A server started on the copy sends again what was not delivered when it was taken.',
    )
    .argument('<folder>', 'the folder to make')
    .addOption(flagOf(data))
    .action(async (folder: string, flags: { readonly data?: string }) => {
      try {
        const { dataDir } = readConfig(flags, process.env);
        const pages = await backUpDataFolder(dataDir, folder, showProgress);
        process.stdout.write(`Backed up ${dataDir} to ${folder} (${pages} pages).\n`);
      } catch (error) {
        process.stderr.write(`schoolbell: ${failure(error)}\n`);
        process.exitCode = 1;
      }
    });
}

function showProgress(done: number, total: number): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${Math.floor((100 * done) / Math.max(1, total))} %\r`);
}
