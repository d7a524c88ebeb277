import { unreachable } from './errors.ts';
import type { Outcome } from './outcome.ts';

/** What an attempt came to: a class to search and count by, and a sentence for people. */
export type Explanation = { readonly class: string; readonly sentence: string };

/** What every attempt says to a school administrator: what happened, and what can be done about it. */
export function explain(outcome: Outcome): Explanation {
  switch (outcome.kind) {
    case 'response':
      return withCertificate(
        explainResponse(outcome.status, outcome.response.headers),
        outcome.certificateEndsAt,
      );
    case 'timeout':
      return explainTimeout(outcome.phase, outcome.afterMs);
    case 'dns_error':
      return { class: 'dns_error', sentence: dnsSentence(outcome.host, outcome.code) };
    case 'connect_error':
      return explainConnect(outcome.code);
    case 'tls_error':
      return { class: 'tls_error', sentence: tlsSentence(outcome.code) };
    case 'protocol_error':
      return {
        class: 'protocol_error',
        sentence: `The receiver answered with something that is not HTTP (${outcome.code}). Check that the port belongs to a web server.`,
      };
    case 'headers_too_large':
      return {
        class: 'headers_too_large',
        sentence: 'The receiver answered with more than 16 KiB of headers.',
      };
    case 'blocked':
      return { class: 'policy_blocked', sentence: blockedSentence(outcome.rule) };
    default:
      return unreachable(outcome);
  }
}

/** Says nothing of what stands behind an address. */
function blockedSentence(rule: string): string {
  return rule === 'headers'
    ? 'A header of the registration is not one that this installation sends. Change the Headers of the registration.'
    : 'The address is not one that this installation sends to. Use a public address, or ask the operator to allow it.';
}

type Headers = readonly (readonly [name: string, value: string])[];

/** A warning in good time, whatever the answer was. */
function withCertificate(explanation: Explanation, endsAt: number | undefined): Explanation {
  if (endsAt === undefined) return explanation;
  const day = new Date(endsAt).toISOString().slice(0, 10);
  const warning = `The certificate of the receiver ends on ${day}: it must be renewed by then.`;
  return { ...explanation, sentence: `${explanation.sentence} ${warning}` };
}

function explainResponse(status: number, headers: Headers): Explanation {
  const known = STATUS_SENTENCES[status];
  if (known !== undefined)
    return { class: classOf(status), sentence: `The receiver answered ${status}: ${known}` };
  if (status >= 300 && status <= 399)
    return { class: 'http_3xx', sentence: redirectSentence(status, headers) };
  return {
    class: classOf(status),
    sentence: `The receiver answered ${status}${meaningOf(status)}`,
  };
}

/** The class of every answer with this status. */
export function classOf(status: number): string {
  if (status === 410) return 'gone';
  const hundreds = Math.floor(status / 100);
  return hundreds >= 2 && hundreds <= 5 ? `http_${hundreds}xx` : 'http_other';
}

function meaningOf(status: number): string {
  if (status >= 200 && status <= 299) return ': delivered.';
  if (status >= 400 && status <= 499) return ': it refused the delivery. Its own log says why.';
  if (status >= 500 && status <= 599)
    return ': it failed while handling the delivery. Its own log says why.';
  return ', which is not a success.';
}

const STATUS_SENTENCES: Readonly<Record<number, string>> = {
  400: 'it could not read the delivery, or refused its signature. Check that it has the right secret.',
  401: 'it wants other credentials. Check the Authorization header or the secret of the registration.',
  403: 'it does not allow the delivery. Check its access rules and the credentials of the registration.',
  404: 'there is nothing at this address. Check the path of the WebHookUri.',
  405: 'it takes no POST at this address. Check the path of the WebHookUri.',
  408: 'it gave up waiting for the request.',
  410: 'the endpoint is gone for good. The registration was switched off, and what waits for it is held.',
  413: 'the delivery is too large for it.',
  415: 'it takes no JSON at this address.',
  429: 'it asks for fewer requests. Deliveries slow down by themselves.',
  502: 'a proxy in front of it got no proper answer from it.',
  503: 'it is not available at the moment.',
  504: 'a proxy in front of it waited in vain for it.',
};

function redirectSentence(status: number, headers: Headers): string {
  const location = headers.find(([name]) => name.toLowerCase() === 'location')?.[1];
  const where = location === undefined ? 'elsewhere' : `to ${withoutQuery(location).slice(0, 200)}`;
  return `The receiver answered ${status} and points ${where}. Redirects are not followed: register the final address, and check that it is not a login page.`;
}

/** Queries may hold credentials. */
function withoutQuery(uri: string): string {
  return uri.split(/[?#]/, 1)[0] ?? '';
}

const NO_SUCH_NAME: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NONAME']);

function dnsSentence(host: string, code: string): string {
  if (NO_SUCH_NAME.has(code)) {
    return `The name ${host} has no address at the moment. Check its spelling, or whether the receiver moved.`;
  }
  return `The name ${host} could not be looked up (${code}). The name servers may be out of order; check its spelling if it lasts.`;
}

function explainTimeout(phase: 'connect' | 'tls' | 'response', afterMs: number): Explanation {
  // The operating system's own time-out does not tell how long it took.
  const within = afterMs > 0 ? `within ${Math.round(afterMs / 100) / 10} s` : 'in time';
  if (phase === 'connect') {
    return {
      class: 'connect_timeout',
      sentence: `No connection came about ${within}. The receiver is down, or a firewall drops the connection.`,
    };
  }
  if (phase === 'tls') {
    return {
      class: 'connect_timeout',
      sentence: `The TLS handshake was not done ${within}.`,
    };
  }
  return {
    class: 'timeout',
    sentence: `The receiver did not answer ${within}. It may have worked on the delivery all the same: it should answer first and work afterwards.`,
  };
}

function explainConnect(code: string): Explanation {
  if (code === 'ECONNREFUSED') {
    return {
      class: 'connect_refused',
      sentence: 'Nothing listens at the address. Check the port, and whether the receiver runs.',
    };
  }
  if (code === 'PROXY_REFUSED') {
    return {
      class: 'connect_error',
      sentence:
        'The proxy of this installation made no connection to the receiver. The receiver is down, or the operator must allow it in the proxy.',
    };
  }
  if (code === 'ECONNRESET') {
    return {
      class: 'connect_reset',
      sentence: 'The receiver closed the connection without an answer.',
    };
  }
  return { class: 'connect_error', sentence: `No connection came about (${code}).` };
}

const TLS_SENTENCES: readonly (readonly [code: RegExp, sentence: string])[] = [
  [/CERT_HAS_EXPIRED/, 'The certificate of the receiver has expired. It must be renewed.'],
  [/CERT_NOT_YET_VALID/, 'The certificate of the receiver is not valid yet. Check the clocks.'],
  [/ALTNAME_INVALID|HOSTNAME_MISMATCH/, 'The certificate of the receiver is for another name.'],
  [
    /SELF_SIGNED|DEPTH_ZERO/,
    'The certificate of the receiver is signed by itself. It needs one of a known authority, or the operator must trust its authority.',
  ],
  [
    /UNABLE_TO|INVALID_CA|UNTRUSTED/,
    'The certificate of the receiver is of an unknown authority, or an intermediate certificate is missing.',
  ],
  [/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/, 'The receiver speaks TLS older than 1.2 only.'],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    'The receiver refused the TLS handshake: it may ask for a client certificate.',
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH/,
    'The receiver does not speak TLS at this port. Use http:// or the right port.',
  ],
];

function tlsSentence(code: string): string {
  const known = TLS_SENTENCES.find(([pattern]) => pattern.test(code));
  return known?.[1] ?? `The TLS connection failed (${code}).`;
}
