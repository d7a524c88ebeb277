import { Command } from 'commander';
import { exportInstallation } from '../app/export.ts';
import { failure } from './failure.ts';
import { type PlaceFlags, placeConfig, withPlace } from './moving-flags.ts';
import { Progress } from './progress.ts';

const HELP = `
Writes tenants, keys, registrations, filters, events, deliveries, attempts and the audit log to one
file, which \`schoolbell import\` fills an empty store with: the embedded one or PostgreSQL. No server
may run meanwhile. Registrations stay encrypted: the other installation needs the same
SCHOOLBELL_ENCRYPTION_KEY. API keys are hashes; the admin key is not in the file.

Until it is whole the file is called <file>.part; a run that was cut short begins it again. Guard it
like the store: payloads are in it as they were published.

Ends with 0 when the file is whole and on disk, else with 1 and a sentence.`;

type Flags = PlaceFlags & { readonly to: string; readonly quiet?: true };

/** `schoolbell export`: everything that a store holds, in one file. */
export function exportCommand(): Command {
  return withPlace(new Command('export'))
    .description('Write everything that an installation holds to a file, to move it elsewhere.')
    .requiredOption('--to <file>', 'The file to make.')
    .option('--quiet', 'Show no progress.')
    .addHelpText('after', HELP)
    .action(async ({ to, quiet, ...flags }: Flags) => {
      try {
        const onProgress = quiet === true ? () => undefined : new Progress().show;
        const config = placeConfig(flags);
        const { from, rows } = await exportInstallation({ config, file: to, onProgress });
        process.stdout.write(`Exported ${rows} rows from ${from} to ${to}.\n`);
      } catch (error) {
        process.stderr.write(`schoolbell: ${failure(error)}\n`);
        process.exitCode = 1;
      }
    });
}
