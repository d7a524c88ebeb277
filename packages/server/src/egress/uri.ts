import { isIP } from 'node:net';
import { parseAddress } from './address.ts';
import { type Allow, allowsAddress, allowsName, inAllowedNetwork } from './allow.ts';
import { OTHER_SERVICES } from './ports.ts';

/** Where a request goes, as read from a URI that passed every rule. */
export type Target = {
  readonly secure: boolean;
  /** Lower case, without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** The Host header: name, and the port where it is not the scheme's own. */
  readonly host: string;
  /** Scheme and host: what a connection can be kept for. */
  readonly origin: string;
  /** Path and query as they go on the request line. */
  readonly path: string;
  readonly isLiteral: boolean;
};

export type UriVerdict =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly rule: string; readonly sentence: string };

export const MAX_URI_LENGTH = 2048;
/** How much longer the echo check makes a registered URI. */
export const ECHO_ROOM = 64;

/** Names that are never public, as last label or labels. */
const PRIVATE_NAMES =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|lan|corp|home|home\.arpa|arpa|onion|svc|test|invalid|example\.internal)$/;

const SENTENCES = {
  length: `A WebHook URI has at most ${MAX_URI_LENGTH} characters.`,
  characters: 'A WebHook URI has no white space, control characters or backslashes.',
  scheme: 'A WebHook URI begins with http:// or https:// and a host.',
  userinfo: 'A WebHook URI carries no user name or password; use Headers for credentials.',
  fragment: 'A WebHook URI has no fragment (#).',
  host: 'The host of the WebHook URI is not written in its ordinary form.',
  port: 'The port of the WebHook URI belongs to another kind of service.',
  'port not allowed': 'The port of the WebHook URI is not one that this installation sends to.',
  own: 'The WebHook URI points at this very service.',
  place: 'The WebHook URI does not point to a place on the public internet.',
} as const;

/**
 * Judges a registered URI by everything that can be known without a look-up. Refuses rather than
 * repairs: what only some parsers would read as the same place is read as none. The sentences are
 * for strangers and say nothing of what stands behind an address.
 */
export function checkUri(
  text: string,
  allow: Allow,
  maxLength: number = MAX_URI_LENGTH,
): UriVerdict {
  if (text.length > maxLength) return refuse('length');
  // oxlint-disable-next-line no-control-regex -- these are exactly what is looked for
  if (/[\u0000-\u0020\u007f-\u00a0\\\u2028\u2029\ufeff]/.test(text)) return refuse('characters');
  const shape = /^https?:\/\/([^/?#]+)([^#]*)(#.*)?$/i.exec(text);
  if (shape === null) return refuse('scheme');
  const [, authority = '', , fragment] = shape;
  if (authority.includes('@')) return refuse('userinfo');
  if (fragment !== undefined) return refuse('fragment');
  if (!URL.canParse(text)) return refuse('host');
  return judge(new URL(text), authority, allow);
}

function judge(url: URL, authority: string, allow: Allow): UriVerdict {
  const target = toTarget(url);
  if (!isWrittenPlainly(authority, target)) return refuse('host');
  const isAllowed = isAllowedByOperator(target, allow);
  const refused = refusePlace(target, allow);
  return isAllowed || refused === undefined ? { ok: true, target } : refuse(refused);
}

/** The rule that refuses a place which the operator did not open. */
function refusePlace(target: Target, allow: Allow): keyof typeof SENTENCES | undefined {
  const { port } = target;
  if (OTHER_SERVICES.has(port)) return 'port';
  if (allow.ports?.has(port) === false) return 'port not allowed';
  if (!isPublicPlace(target, allow)) return 'place';
  return isOwnPlace(target, allow) ? 'own' : undefined;
}

function isOwnPlace({ hostname, port }: Target, { own }: Allow): boolean {
  return own === `${hostname.replace(/\.$/, '')}:${port}`;
}

function toTarget(url: URL): Target {
  const secure = url.protocol === 'https:';
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  return {
    secure,
    hostname,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    host: url.host,
    origin: url.origin,
    path: plainPath(url.pathname) + url.search,
    isLiteral: isIP(hostname) !== 0,
  };
}

/** Letters, digits and `-._~` need no escape (RFC 3986, 6.2.2.2), and .NET sends them without one. */
function plainPath(path: string): string {
  return path.replaceAll(/%(2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi, (escape) =>
    decodeURIComponent(escape),
  );
}

/** The host as written is the host as read, but for letter case and international names. */
function isWrittenPlainly(authority: string, target: Target): boolean {
  const port = /:(\d*)$/.exec(authority);
  const host = port === null ? authority : authority.slice(0, -port[0].length);
  if (port !== null && !/^[1-9]\d{0,4}$/.test(port[1] ?? '')) return false;
  if (host.includes('%')) return false;
  if (host.startsWith('[')) return parseAddress(host.slice(1, -1)) !== undefined;
  if (target.isLiteral) return host === target.hostname;
  return isName(target.hostname) && hasNoHiddenDots(host);
}

/** Other dots and full-width letters read as ASCII by some parsers only. */
function hasNoHiddenDots(host: string): boolean {
  return (
    !/[\u3002\uff0e\uff61\uff00-\uffef\u00ad\u200b-\u200f\u2060-\u206f]/.test(host) &&
    host === host.normalize('NFKC')
  );
}

function isName(hostname: string): boolean {
  const name = hostname.replace(/\.$/, '');
  if (name.length > 253 || hostname.endsWith('..')) return false;
  if (/^(0x[0-9a-f]*|\d+)$/i.test(name.split('.').at(-1) ?? '')) return false;
  return name.split('.').every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label));
}

function isAllowedByOperator(target: Target, allow: Allow): boolean {
  if (!target.isLiteral) return allowsName(allow, target.hostname, target.port);
  return (
    inAllowedNetwork(allow, target.hostname, target.port) &&
    allowsAddress(allow, { address: target.hostname, port: target.port, byName: false })
  );
}

function isPublicPlace(target: Target, allow: Allow): boolean {
  if (target.isLiteral) {
    return allowsAddress(allow, { address: target.hostname, port: target.port, byName: false });
  }
  const name = target.hostname.replace(/\.$/, '');
  return name.includes('.') && !PRIVATE_NAMES.test(name);
}

function refuse(rule: keyof typeof SENTENCES): UriVerdict {
  return { ok: false, rule, sentence: SENTENCES[rule] };
}
