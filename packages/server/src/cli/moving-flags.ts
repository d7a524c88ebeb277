import type { Command } from 'commander';
import { type Config, readConfig } from '../config/config.ts';
import { OPTIONS } from '../config/options.ts';
import { flagOf } from './flags.ts';

/** What names an installation. */
export type PlaceFlags = {
  readonly data?: string;
  readonly databaseUrl?: string;
  readonly databaseListenUrl?: string;
  readonly databasePooler?: true;
  readonly databaseAllowUnsafe?: true;
  readonly encryptionKey?: string;
};

/** Adds the options that say where an installation is. */
export function withPlace(command: Command): Command {
  const { data, databaseUrl, databaseListenUrl, databasePooler, databaseAllowUnsafe } = OPTIONS;
  for (const option of [data, databaseUrl, databaseListenUrl, databasePooler, databaseAllowUnsafe])
    command.addOption(flagOf(option));
  return command;
}

export function placeConfig(flags: PlaceFlags): Config {
  const { databasePooler, databaseAllowUnsafe, ...texts } = flags;
  const switches = {
    ...(databasePooler === undefined ? {} : { databasePooler: 'true' }),
    ...(databaseAllowUnsafe === undefined ? {} : { databaseAllowUnsafe: 'true' }),
  };
  return readConfig({ ...texts, ...switches }, process.env);
}
