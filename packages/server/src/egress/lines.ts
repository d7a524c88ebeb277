import { Failure } from './failure.ts';

/** Lower-case name and value. */
export type Field = readonly [name: string, value: string];

export type StatusLine = { readonly status: number; readonly isHttp10: boolean };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e\x80-\xff]*)$/;
const CHUNK_SIZE = /^([0-9A-Fa-f]{1,8})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/;
const BEGINNING = 'HTTP/1.';

/** RFC 9112, 4. Throws Failure for what is no HTTP/1 answer. */
export function parseStatusLine(line: string): StatusLine {
  const found = STATUS_LINE.exec(line);
  if (found === null) throw invalid('STATUS_LINE');
  return { status: Number(found[2]), isHttp10: found[1] === '0' };
}

/** False when no status line begins so, which is known long before such a line has an end. */
export function mayBeStatusLine(part: string): boolean {
  return part.startsWith(BEGINNING.slice(0, part.length));
}

/** RFC 9112, 5, without lines that go on in the next, which it forbids. Throws Failure. */
export function parseField(line: string): Field {
  const found = FIELD.exec(line);
  if (found === null) throw invalid('HEADER');
  const [, name = '', value = ''] = found;
  return [name.toLowerCase(), withoutBlanks(value)];
}

/** RFC 9112, 7.1. Extensions mean nothing here. Throws Failure. */
export function parseChunkSize(line: string): number {
  const found = CHUNK_SIZE.exec(line);
  if (found === null) throw invalid('CHUNK');
  return Number.parseInt(found[1] ?? '', 16);
}

/** What an answer is recorded as that cannot be read: which part of it, and never a word of it. */
export function invalid(part: string): Failure {
  return new Failure({ kind: 'protocol_error', code: `INVALID_${part}` });
}

/** Not by a pattern: one that looks for blanks at an end takes the square of their number. */
function withoutBlanks(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from += 1;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to -= 1;
  return value.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
