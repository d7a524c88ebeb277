const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/;
const VERSION = '00';
const LONGEST = 512;

/** Where something belongs in a trace. */
export type TraceContext = {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
};

/** What a `traceparent` header says, by W3C Trace Context; undefined for what it does not allow. */
export function readTraceparent(text: string): TraceContext | undefined {
  const match = text.length > LONGEST ? null : TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, traceId = '', spanId = '', flags = '', rest] = match;
  const version = text.slice(0, 2);
  if (version === 'ff' || (version === VERSION && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: Number.parseInt(flags, 16) };
}

export function writeTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `${VERSION}-${traceId}-${spanId}-${(flags & 0xff).toString(16).padStart(2, '0')}`;
}

const MOST_MEMBERS = 32;
/** What everybody who passes it on lets through. */
const LONGEST_STATE = 512;
const LONG_MEMBER = 128;
const KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
/** As much as a head may hold of it with a good will. */
const LONGEST_READ = 8192;

/**
 * What a `tracestate` header says, by W3C Trace Context, in 512 characters at most: where it is
 * longer, long members go first, and then the oldest, which are the last. Undefined for what it does
 * not allow, and for nothing.
 */
export function readTracestate(text: string): string | undefined {
  if (text.length > LONGEST_READ) return undefined;
  const members = text
    .split(',')
    .map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    .filter((member) => member !== '');
  if (members.length > MOST_MEMBERS || !members.every(isMember)) return undefined;
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  if (keys.size < members.length) return undefined;
  const state = shortened(members).join(',');
  return state === '' ? undefined : state;
}

function isMember(member: string): boolean {
  const at = member.indexOf('=');
  return at > 0 && KEY.test(member.slice(0, at)) && VALUE.test(member.slice(at + 1));
}

function shortened(members: readonly string[]): readonly string[] {
  const kept = [...members];
  while (kept.join(',').length > LONGEST_STATE) {
    const long = kept.findLastIndex((member) => member.length > LONG_MEMBER);
    kept.splice(long === -1 ? kept.length - 1 : long, 1);
  }
  return kept;
}

/**
 * Where a call belongs in a trace, in one text as it is kept: its `traceparent` and, where there is
 * one, a space and its `tracestate`. Undefined where it belongs in none.
 */
export function traceOf(traceparent: unknown, tracestate: unknown): string | undefined {
  if (typeof traceparent !== 'string' || readTraceparent(traceparent) === undefined)
    return undefined;
  const state = typeof tracestate === 'string' ? readTracestate(tracestate) : undefined;
  return state === undefined ? traceparent : `${traceparent} ${state}`;
}

/** The two of `traceOf`. */
export function partsOfTrace(trace: string): {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
} {
  const at = trace.indexOf(' ');
  if (at === -1) return { traceparent: trace, tracestate: undefined };
  return { traceparent: trace.slice(0, at), tracestate: trace.slice(at + 1) };
}
