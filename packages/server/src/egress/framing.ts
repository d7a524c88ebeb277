import { invalid, type Field, type StatusLine } from './lines.ts';
import { MAX_IDLE_MS } from './limits.ts';

/** Where a body ends, and what becomes of the connection then. */
export type Framing = {
  /** Bytes of the body; `chunked` as they say themselves; `open` until the connection ends. */
  readonly length: number | 'chunked' | 'open';
  /** How long the connection may wait for its next request; 0 when it takes none. */
  readonly idleMs: number;
};

/** A server that closes after so long may do so while a request is on its way. */
const EARLIER_MS = 1000;

/** RFC 9112, 6.3 and 9.3, for an answer to GET or POST. Throws Failure when it says two things. */
export function framingOf({ status, isHttp10 }: StatusLine, fields: readonly Field[]): Framing {
  const lengths = valuesOf(fields, 'content-length');
  const codings = tokensOf(fields, 'transfer-encoding');
  const length = status === 204 || status === 304 ? 0 : lengthOf(lengths, codings);
  const isKept =
    !isHttp10 && length !== 'open' && !tokensOf(fields, 'connection').includes('close');
  return { length, idleMs: isKept ? idleMsOf(fields) : 0 };
}

/** One length at most, and none beside chunks: whoever says both may mean another answer by it. */
function lengthOf(lengths: readonly string[], codings: readonly string[]): Framing['length'] {
  if (codings.length > 0) {
    if (lengths.length > 0 || codings.slice(0, -1).includes('chunked')) throw invalid('LENGTH');
    return codings.at(-1) === 'chunked' ? 'chunked' : 'open';
  }
  const [length] = lengths;
  if (length === undefined) return 'open';
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) throw invalid('LENGTH');
  return Number(length);
}

/** As `Keep-Alive: timeout=<seconds>` has it. */
function idleMsOf(fields: readonly Field[]): number {
  for (const token of tokensOf(fields, 'keep-alive')) {
    const seconds = /^timeout=(\d{1,9})$/.exec(token)?.[1];
    if (seconds === undefined) continue;
    return Math.max(0, Math.min(MAX_IDLE_MS, Number(seconds) * 1000 - EARLIER_MS));
  }
  return MAX_IDLE_MS;
}

function tokensOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name).flatMap((value) =>
    value.split(',').map((token) => token.trim().toLowerCase()),
  );
}

function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field[0] === name).map(([, value]) => value);
}
