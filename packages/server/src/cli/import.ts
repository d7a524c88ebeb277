import { Command } from 'commander';
import { importInstallation, type Imported } from '../app/import.ts';
import { OPTIONS } from '../config/options.ts';
import { failure } from './failure.ts';
import { flagOf } from './flags.ts';
import { type PlaceFlags, placeConfig, withPlace } from './moving-flags.ts';
import { Progress } from './progress.ts';

const HELP = `
Fills an empty store, the embedded one or PostgreSQL, with what \`schoolbell export\` wrote. No server
may run on it meanwhile, and none starts before the import has come to its end. The file is checked
as a whole before anything is written.

It can be stopped at any moment, also by kill -9, and run again with the same file: it goes on where
it was, and neither repeats a row nor leaves one out. All deliveries that wait are sent by the server
that is started then; stop the old one for good, or receivers get them twice.

SCHOOLBELL_ENCRYPTION_KEY must be the same as where the file was made. Set SCHOOLBELL_ADMIN_KEY, or
copy admin.key into the data folder, to keep the admin key.

Ends with 0 when everything is in the store, else with 1 and a sentence.`;

type Flags = PlaceFlags & { readonly from: string; readonly quiet?: true };

/** `schoolbell import`: an exported installation into an empty store. */
export function importCommand(): Command {
  return withPlace(new Command('import'))
    .description('Fill an empty store with an exported installation.')
    .requiredOption('--from <file>', 'The file that `schoolbell export` made.')
    .addOption(flagOf(OPTIONS.encryptionKey))
    .option('--quiet', 'Show no progress.')
    .addHelpText('after', HELP)
    .action(async ({ from, quiet, ...flags }: Flags) => {
      try {
        const onProgress = quiet === true ? () => undefined : new Progress().show;
        const config = placeConfig(flags);
        process.stdout.write(told(await importInstallation({ config, file: from, onProgress })));
      } catch (error) {
        process.stderr.write(`schoolbell: ${failure(error)}\n`);
        process.exitCode = 1;
      }
    });
}

function told({ to, rows, before }: Imported): string {
  const earlier = before > 0 ? `, ${before} of them by earlier runs` : '';
  return `Imported ${rows} rows into ${to}${earlier}. Start the server on it now.\n`;
}
