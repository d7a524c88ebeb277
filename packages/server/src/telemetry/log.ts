import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { escapeLine, escapeTwice } from './visible.ts';

export type { Logger };

/**
 * JSON lines, or lines for people on a terminal; strangers' control characters are shown, never
 * sent. Secrets are not logged; paths that could hold one are redacted.
 */
export function createLog(level: string): Logger {
  const options = {
    level,
    base: null,
    redact: ['*.secret', '*.key', '*.authorization', '*.webHookUri'],
  };
  return pino(options, process.stdout.isTTY ? prettyLines(1) : jsonLines(pino.destination(1)));
}

/** One JSON object a line, whatever is logged. */
export function jsonLines(out: DestinationStream): DestinationStream {
  return { write: (line) => out.write(escapeLine(line)) };
}

/** Coloured lines for a terminal, on a file descriptor or a stream. */
export function prettyLines(destination: number | NodeJS.WritableStream): DestinationStream {
  const lines = pretty({ destination, sync: true, colorize: true, ignore: 'pid,hostname' });
  return { write: (line) => void lines.write(escapeTwice(escapeLine(line))) };
}
