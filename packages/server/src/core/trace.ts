const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
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
