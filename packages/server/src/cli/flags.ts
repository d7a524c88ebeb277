import { Option as Flag } from 'commander';
import { type Option, variableOf } from '../config/options.ts';

/** Commander's own defaults stay unset, so that the variables are looked at. */
export function flagOf(option: Option): Flag {
  const name =
    option.kind === 'switch' ? `--${option.flag}` : `--${option.flag} ${option.placeholder}`;
  const byDefault =
    option.default === null || option.default === '' ? '' : ` Default: ${option.default}.`;
  return new Flag(name, `${option.help}${byDefault} [${variableOf(option)}]`);
}
