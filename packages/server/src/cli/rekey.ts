import { Command } from 'commander';
import { rekey, type Rekeyed } from '../app/rekey.ts';
import { readConfig } from '../config/config.ts';
import { OPTIONS } from '../config/options.ts';
import { failure } from './failure.ts';
import { flagOf } from './flags.ts';

const HELP = `
Registrations' secrets, header values and URIs are encrypted in the store. To change the key:

  with the key in the data folder   stop the server, run: schoolbell rekey --new-key
  with SCHOOLBELL_ENCRYPTION_KEY    put the new key first, a comma, and the old one; stop the server,
                                    run: schoolbell rekey; then leave out the old key

It can be stopped at any moment and run again: it goes on where it was. The server starts with both
keys at any time. With PostgreSQL, stop all nodes first.`;

type RekeyFlags = {
  readonly data?: string;
  readonly databaseUrl?: string;
  readonly adminKey?: string;
  readonly encryptionKey?: string;
  readonly newKey?: true;
};

/** `schoolbell rekey`: encrypts all registrations with the first of the encryption keys. */
export function rekeyCommand(): Command {
  return new Command('rekey')
    .description('Encrypt all registrations with the first encryption key, while no server runs.')
    .addOption(flagOf(OPTIONS.data))
    .addOption(flagOf(OPTIONS.databaseUrl))
    .addOption(flagOf(OPTIONS.adminKey))
    .addOption(flagOf(OPTIONS.encryptionKey))
    .option(
      '--new-key',
      'Make a new key in the data folder first, and remove the old one at the end.',
    )
    .addHelpText('after', HELP)
    .action(async (flags: RekeyFlags) => {
      try {
        const { newKey, ...texts } = flags;
        const config = readConfig(texts, process.env);
        print(await rekey({ config, makesKey: newKey === true, onProgress }));
      } catch (error) {
        process.stderr.write(`schoolbell: ${failure(error)}\n`);
        process.exitCode = 1;
      }
    });
}

function onProgress(done: number, of: number): void {
  process.stdout.write(`Encrypted ${done} of ${of} registrations anew.\n`);
}

function print({ keyId, registrations, changed, oldKeysRemoved }: Rekeyed): void {
  const lines = [
    `All ${registrations} registrations are encrypted with the key ${keyId}; ${registrations - changed} were before.`,
  ];
  if (oldKeysRemoved) lines.push('The old key was removed from the data folder.');
  else if (changed > 0) lines.push('Other keys than the first are not needed any more.');
  process.stdout.write(`${lines.join('\n')}\n`);
}
