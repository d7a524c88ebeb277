export const MAX_HEAD_BYTES: number = 16 * 1024;
/** Interim answers (1xx) that are waited through. */
export const MAX_INTERIM = 20;
/** All that is read of one answer, whatever it is: several times what is kept of head and body. */
export const MAX_WIRE_BYTES: number = 512 * 1024;

const END_OF_HEAD = '\r\n\r\n';
const INTERIM = /^HTTP\/1\.[01] 1\d\d/;

/** False when these first bytes of an answer show a head, interim or final, larger than is taken. */
export function isHeadWithinLimits(bytes: Buffer): boolean {
  let start = 0;
  for (let heads = 0; heads <= MAX_INTERIM; heads += 1) {
    const end = bytes.indexOf(END_OF_HEAD, start);
    const length = (end < 0 ? bytes.length : end) - start;
    if (length > MAX_HEAD_BYTES) return false;
    if (end < 0 || !INTERIM.test(bytes.toString('latin1', start, start + 12))) return true;
    start = end + END_OF_HEAD.length;
  }
  return true;
}
