import type { Attempt } from './attempt.ts';
import { ERASED_RULE } from './erasing.ts';
import { unreachable } from './errors.ts';
import { type History, remarksOf } from './explain-history.ts';
import { tlsRemark } from './explain-tls.ts';
import { instant, plain, plainUri, type Remark, remark, seconds } from './explain-text.ts';
import { type SentenceKey, SENTENCES } from './explain-sentences.ts';
import { judge, type Outcome } from './outcome.ts';

/** What an attempt came to: a class to search and count by, and sentences for people. */
export type Explanation = {
  readonly class: string;
  /** In order; what happened and what to do comes first. */
  readonly remarks: readonly Remark[];
  /** All of them, in English. */
  readonly sentence: string;
};

/** An answer that took longer than this is told to be slow. */
const SLOW_MS = 5000;

/** What every attempt says to a school administrator: what happened, and what can be done about it. */
export function explainAttempt(attempt: Attempt, history?: History): Explanation {
  const { outcome, startedAt, durationMs } = attempt;
  const first = remarksFor(outcome, startedAt);
  const isSlow = judge(outcome) === 'delivered' && durationMs >= SLOW_MS;
  const slow = isSlow ? [remark('http.slow', { seconds: seconds(durationMs) })] : [];
  const told = history === undefined ? first : remarksOf(first, attempt, history);
  return explanation(outcome, [...told, ...slow]);
}

/** The same without what only the whole attempt tells. */
export function explain(outcome: Outcome): Explanation {
  if (!isPlain(outcome)) return explanation(outcome, remarksFor(outcome));
  let known = byStatus.get(outcome.status);
  if (known === undefined) {
    known = explanation(outcome, remarksFor(outcome));
    byStatus.set(outcome.status, known);
  }
  return known;
}

/** Nearly every attempt is explained by its status alone: made once for each that there is. */
const byStatus = new Map<number, Explanation>();

function isPlain(outcome: Outcome): outcome is Extract<Outcome, { kind: 'response' }> {
  if (outcome.kind !== 'response' || outcome.certificateEndsAt !== undefined) return false;
  return outcome.status < 300 || outcome.status > 399;
}

function explanation(outcome: Outcome, remarks: readonly Remark[]): Explanation {
  const sentence = remarks.map((one) => one.sentence).join(' ');
  return { class: outcomeClass(outcome), remarks, sentence };
}

function outcomeClass(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'response':
      return classOf(outcome.status);
    case 'timeout':
      return outcome.phase === 'response' ? 'timeout' : 'connect_timeout';
    case 'connect_error':
      return CONNECT_CLASSES[outcome.code] ?? 'connect_error';
    case 'blocked':
      return 'policy_blocked';
    case 'dns_error':
    case 'tls_error':
    case 'protocol_error':
    case 'headers_too_large':
      return outcome.kind;
    default:
      return unreachable(outcome);
  }
}

const CONNECT_CLASSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect_refused',
  ECONNRESET: 'connect_reset',
};

/** The class of every answer with this status. */
export function classOf(status: number): string {
  if (status === 410) return 'gone';
  const hundreds = Math.floor(status / 100);
  return hundreds >= 2 && hundreds <= 5 ? `http_${hundreds}xx` : 'http_other';
}

function remarksFor(outcome: Outcome, at?: number): readonly Remark[] {
  if (outcome.kind !== 'response') return [failureRemark(outcome, at)];
  const { status, response, certificateEndsAt } = outcome;
  const answered = answerRemark(status, response.headers);
  if (certificateEndsAt === undefined) return [answered];
  return [answered, remark('certificate.ends', { at: instant(certificateEndsAt) })];
}

function failureRemark(outcome: Exclude<Outcome, { kind: 'response' }>, at?: number): Remark {
  switch (outcome.kind) {
    case 'timeout':
      return timeoutRemark(outcome.phase, outcome.afterMs);
    case 'dns_error':
      return dnsRemark(outcome.host, outcome.code);
    case 'connect_error':
      return connectRemark(outcome.code);
    case 'tls_error':
      return tlsRemark(outcome, at);
    case 'protocol_error':
      return remark('protocol', { code: plain(outcome.code) });
    case 'headers_too_large':
      return remark('headers_too_large');
    case 'blocked':
      // Says nothing of what stands behind an address.
      return remark(BLOCKED.get(outcome.rule) ?? 'blocked.address');
    default:
      return unreachable(outcome);
  }
}

/** By its rule, what is no matter of an address. */
const BLOCKED: ReadonlyMap<string, SentenceKey> = new Map([
  ['headers', 'blocked.headers'],
  [ERASED_RULE, 'blocked.erased'],
]);

type Headers = readonly (readonly [name: string, value: string])[];

function answerRemark(status: number, headers: Headers): Remark {
  const own = `http.${status}`;
  if (isKey(own)) return remark(own);
  if (status >= 300 && status <= 399) return redirectRemark(status, headers);
  const hundreds = `http.${Math.floor(status / 100)}xx`;
  return remark(isKey(hundreds) ? hundreds : 'http.other', { status });
}

function isKey(text: string): text is SentenceKey {
  return Object.hasOwn(SENTENCES, text);
}

/** What the paths and hosts of login pages are called. */
const LOGIN =
  /(?:^|[/._-])(?:log-?in|log-?on|sign-?in|signon|auth|authorize|oauth2?|openid|sso|saml2?|adfs|accounts?)(?:[/._-]|$)/i;

function redirectRemark(status: number, headers: Headers): Remark {
  const given = headers.find(([name]) => name.toLowerCase() === 'location')?.[1];
  if (given === undefined) return remark('http.3xx.nowhere', { status });
  const location = plainUri(given);
  return remark(LOGIN.test(location) ? 'http.3xx.login' : 'http.3xx', { status, location });
}

const NO_SUCH_NAME: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NONAME']);

function dnsRemark(host: string, code: string): Remark {
  if (NO_SUCH_NAME.has(code)) return remark('dns.no_address', { host: plain(host) });
  return remark('dns.failed', { host: plain(host), code: plain(code) });
}

function timeoutRemark(phase: 'connect' | 'tls' | 'response', afterMs: number): Remark {
  // The operating system's own time-out does not tell how long it took.
  if (phase === 'connect' && afterMs === 0) return remark('timeout.connect.system');
  return remark(`timeout.${phase}`, { seconds: seconds(afterMs) });
}

function connectRemark(code: string): Remark {
  if (code === 'ECONNREFUSED') return remark('connect.refused');
  if (code === 'ECONNRESET') return remark('connect.reset');
  if (code === 'PROXY_REFUSED') return remark('connect.proxy');
  return remark('connect.failed', { code: plain(code) });
}
