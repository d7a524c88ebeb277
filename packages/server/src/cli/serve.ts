import { setFlagsFromString } from 'node:v8';
import { Command } from 'commander';
import { startSchoolbell, type RunningSchoolbell } from '../app/schoolbell.ts';
import { readConfig } from '../config/config.ts';
import { OPTIONS, type OptionName } from '../config/options.ts';
import { failure } from './failure.ts';
import { flagOf } from './flags.ts';
import { welcome } from './welcome.ts';

/** `schoolbell serve`: runs until SIGTERM or SIGINT; a second signal ends it at once. */
export function serveCommand(): Command {
  const command = new Command('serve').description('Start the server.');
  for (const option of Object.values(OPTIONS)) command.addOption(flagOf(option));
  return command.action(async (flags: Record<string, string | true | undefined>) => {
    try {
      await serve(flags);
    } catch (error) {
      process.stderr.write(`schoolbell: ${failure(error)}\n`);
      process.exitCode = 1;
    }
  });
}

/**
 * How much more than what lived is used before all of it is looked through again. By its own reckoning
 * V8 does so about once a second under load, for a few MB each time.
 */
const HEAP_GROWTH_PERCENT = 300;

async function serve(flags: Record<string, string | true | undefined>): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const config = readConfig(textFlags(flags), process.env);
  const running = await startSchoolbell(config);
  if (running.adminKeyIsNew) process.stdout.write(welcome(running));
  stopOnSignal(running);
}

function textFlags(
  flags: Record<string, string | true | undefined>,
): Partial<Record<OptionName, string>> {
  const texts: Partial<Record<OptionName, string>> = {};
  for (const name of optionNames()) {
    const value = flags[camelCase(OPTIONS[name].flag)];
    if (value !== undefined) texts[name] = value === true ? 'true' : value;
  }
  return texts;
}

function optionNames(): OptionName[] {
  return Object.keys(OPTIONS).filter((name): name is OptionName => name in OPTIONS);
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function stopOnSignal(running: RunningSchoolbell): void {
  const stop = (signal: NodeJS.Signals): void => {
    process.once(signal, () => process.kill(process.pid, 'SIGKILL'));
    running.stop(signal).then(
      () => process.removeAllListeners(signal),
      (error: unknown) => {
        process.stderr.write(`schoolbell: stopping failed: ${failure(error)}\n`);
        process.exitCode = 1;
      },
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
