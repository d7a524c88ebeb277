/**
 * What a terminal obeys, what turns the direction of text, and what some readers take for the end of
 * a line: C1 controls and DEL, marks of direction, line and paragraph separators. JSON has escaped
 * the C0 controls before.
 */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const UNSEEN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** A line of JSON that holds no such character as itself; it reads the same. */
export function escapeLine(json: string): string {
  return json.replaceAll(
    UNSEEN,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The same, but reads as the escapes themselves: for what is read and then shown. Line ends stay, as
 * in stack traces, which are shown indented.
 */
export function escapeTwice(json: string): string {
  return json.replaceAll(/\\(?:u[0-9a-f]{4}|[^u])/g, (found) =>
    /^\\(u|[bfr])/.test(found) ? `\\${found}` : found,
  );
}
