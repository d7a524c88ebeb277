import { Command } from 'commander';
import { OPTIONS, type Option, variableOf } from '../config/options.ts';

const INTRODUCTION = [
  '# Configuration',
  '',
  'Every option is a flag of `schoolbell serve` and an environment variable; the flag wins. With',
  'nothing set, `schoolbell serve` works. Times are written `500ms`, `15s`, `5m`, `2h`, `30d`. This',
  'page is printed by `schoolbell config`.',
  '',
  '| flag | variable | meaning | default |',
  '| --- | --- | --- | --- |',
];

/** `schoolbell config`: prints every option as the Markdown page `docs/configuration.md`. */
export function configCommand(): Command {
  return new Command('config')
    .description('Print every option with its variable, meaning and default, in Markdown.')
    .action(() => {
      process.stdout.write(configurationPage());
    });
}

/** The text of `docs/configuration.md`. */
export function configurationPage(): string {
  return `${[...INTRODUCTION, ...Object.values(OPTIONS).map(row)].join('\n')}\n`;
}

function row(option: Option): string {
  const flag = option.placeholder === '' ? option.flag : `${option.flag} ${option.placeholder}`;
  const byDefault = option.default === null || option.default === '' ? '' : code(option.default);
  return `| ${code(`--${flag}`)} | ${code(variableOf(option))} | ${option.help} | ${byDefault} |`;
}

function code(text: string): string {
  return `\`${text}\``;
}
