import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger };

/** JSON lines, or lines for people on a terminal. Secrets are not logged; paths that could hold one are redacted. */
export function createLog(level: string): Logger {
  const options = {
    level,
    base: null,
    redact: ['*.secret', '*.key', '*.authorization', '*.webHookUri'],
  };
  if (!process.stdout.isTTY) return pino(options);
  return pino(options, pretty({ sync: true, colorize: true, ignore: 'pid,hostname' }));
}
