export const MAX_HEADERS = 20;
/** A header's name: a token (RFC 9110, 5.1). */
export const HEADER_NAME: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const MAX_NAME_LENGTH = 64;
const MAX_VALUE_LENGTH = 4096;
const MAX_TOTAL_LENGTH = 8192;

/** Names that belong to HTTP itself, to the way, to the cloud or to us. */
const DENIED: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'content-encoding',
  'content-digest',
  'content-range',
  'content-location',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'expect',
  'date',
  'via',
  'forwarded',
  'accept-encoding',
  'accept-charset',
  'cookie',
  'cookie2',
  'set-cookie',
  'origin',
  'referer',
  'http2-settings',
  'alt-svc',
  'digest',
  'want-digest',
  'signature',
  'signature-input',
  'ms-signature',
  'max-forwards',
  'range',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-real-ip',
  'x-client-ip',
  'x-original-url',
  'x-rewrite-url',
  'true-client-ip',
  'cf-connecting-ip',
  'traceparent',
  'tracestate',
  '__proto__',
]);
const DENIED_PREFIXES = [
  'proxy-',
  'sec-',
  'x-amz-',
  'x-aws-',
  'x-google-',
  'x-goog-',
  'x-forwarded-',
  'x-hub-',
  'x-azure-',
  'x-ms-metadata',
  'metadata',
  'webhook-',
  'svix-',
  'schoolbell-',
  'access-control-',
];

type Headers = readonly (readonly [name: string, value: string])[];

const judged = new WeakMap<Headers, string | null>();

/** The same for headers that are asked about again and again and never change. */
export function refuseKnownHeaders(headers: Headers): string | undefined {
  let refusal = judged.get(headers);
  if (refusal === undefined) judged.set(headers, (refusal = refuseHeaders(headers) ?? null));
  return refusal ?? undefined;
}

/**
 * Judges a registration's own headers, so that they cannot change what a request means: a sentence
 * that names the culprit, or undefined when all may be sent.
 */
export function refuseHeaders(headers: Headers): string | undefined {
  if (headers.length > MAX_HEADERS) return `A registration takes at most ${MAX_HEADERS} headers.`;
  let total = 0;
  for (const [name, value] of headers) {
    const refusal = refuseName(name) ?? refuseValue(name, value);
    if (refusal !== undefined) return refusal;
    total += name.length + value.length;
  }
  return total > MAX_TOTAL_LENGTH
    ? `Headers take at most ${MAX_TOTAL_LENGTH} characters together.`
    : undefined;
}

function refuseName(name: string): string | undefined {
  const shown = JSON.stringify(name.slice(0, MAX_NAME_LENGTH));
  if (!HEADER_NAME.test(name)) return `The header name ${shown} is not a valid one.`;
  if (name.length > MAX_NAME_LENGTH)
    return `The header name ${shown}… is longer than ${MAX_NAME_LENGTH} characters.`;
  const lower = name.toLowerCase();
  const isDenied = DENIED.has(lower) || DENIED_PREFIXES.some((prefix) => lower.startsWith(prefix));
  return isDenied ? `The header ${shown} cannot be set by a registration.` : undefined;
}

function refuseValue(name: string, value: string): string | undefined {
  if (value.length > MAX_VALUE_LENGTH)
    return `The value of the header "${name}" is longer than ${MAX_VALUE_LENGTH} characters.`;
  if (/^[\x20-\x7e\t]*$/.test(value) && value === value.trim()) return undefined;
  return `The value of the header "${name}" takes printable ASCII only, without blanks at its ends.`;
}
