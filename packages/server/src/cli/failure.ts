import { ConfigError } from '../config/config.ts';

/** What a command says of the error that ended it: a sentence, or the stack of a bug. */
export function failure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}. Another program listens there; choose another --port.`;
  }
  return error instanceof ConfigError || error.name === 'AppError'
    ? error.message
    : (error.stack ?? error.message);
}
