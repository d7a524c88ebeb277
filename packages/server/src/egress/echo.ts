import type { Outcome } from '../core/outcome.ts';
import type { Egress } from './port.ts';
import { statusName } from './status-names.ts';

export type EchoRequest = {
  readonly uri: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly token: string;
};

/** `text` is Microsoft's sentence for what went wrong. */
export type EchoResult = { readonly ok: true } | { readonly ok: false; readonly text: string };

const ECHO_TIMEOUT_MS = 10_000;

/** Headers that describe a body; .NET leaves them out of a GET. */
const ENTITY_HEADERS =
  /^(allow|expires|last-modified|content-(disposition|encoding|language|length|location|md5|range|type))$/i;

const NOT_RETURNED =
  'The HTTP request echo query parameter was not returned as plain text in the response. Please return the echo parameter to verify that the WebHook is working as expected.';

/**
 * Verifies that who registered a URI also answers there: a GET with `echo=<token>` added to the
 * query must return the token and nothing else. Failures say one thing whatever stands behind an
 * address, so that nobody learns what does.
 */
export async function verifyEcho(
  egress: Egress,
  { uri, headers, token }: EchoRequest,
): Promise<EchoResult> {
  const outcome = await egress.send({
    method: 'GET',
    uri: `${uri}${uri.includes('?') ? '&' : '?'}echo=${token}`,
    headers: headers.filter(([name]) => !ENTITY_HEADERS.test(name)),
    body: null,
    pool: `echo ${token}`,
    timeoutMs: ECHO_TIMEOUT_MS,
  });
  egress.forget(`echo ${token}`);
  return judgeEcho(outcome, token);
}

/** True when the query has a parameter named `noecho`, in any case and however encoded. */
export function hasNoEcho(uri: string): boolean {
  const query = /\?([^#]*)/.exec(uri)?.[1] ?? '';
  return query
    .split('&')
    .some((pair) => decoded(pair.split('=')[0] ?? '').toLowerCase() === 'noecho');
}

function judgeEcho(outcome: Outcome, token: string): EchoResult {
  if (outcome.kind !== 'response') return failed(noAnswer(outcome));
  if (outcome.status < 200 || outcome.status > 299) return failed(statusName(outcome.status));
  const { body, truncated } = outcome.response;
  const matches = !truncated && (body.replace(/^\ufeff/, '') === token || isWide(body, token));
  return matches ? { ok: true } : { ok: false, text: NOT_RETURNED };
}

/** The token in UTF-16, of either order and with or without its mark, as it looks when read as UTF-8. */
function isWide(body: string, token: string): boolean {
  const unmarked = body.replace(/^\ufffd\ufffd/, '');
  const little = Array.from(token, (letter) => `${letter}\u0000`).join('');
  const big = Array.from(token, (letter) => `\u0000${letter}`).join('');
  return unmarked === little || unmarked === big;
}

function failed(reason: string): EchoResult {
  const text = `WebHook verification failed. Please ensure that the WebHook URI is valid and that the endpoint is accessible. Error encountered: ${reason}`;
  return { ok: false, text };
}

/** The texts .NET Framework gives. */
function noAnswer(outcome: Outcome): string {
  return outcome.kind === 'timeout'
    ? 'A task was canceled.'
    : 'An error occurred while sending the request.';
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
