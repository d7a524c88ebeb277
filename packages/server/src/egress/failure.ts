import type { Outcome } from '../core/outcome.ts';

/** An attempt that ended without an answer, with the outcome it is recorded as. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly outcome: Outcome;
  /** Not one of undici's own codes, so that undici hands it on as it is. */
  readonly code = 'SCHOOLBELL_FAILURE';

  constructor(outcome: Outcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;
const RESET_CODES: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'UND_ERR_SOCKET',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);
const OVERFLOW_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'HPE_HEADER_OVERFLOW',
]);

/** What went wrong while connecting, by the error's code. */
export function connectOutcome(error: unknown, secure: boolean): Outcome {
  if (error instanceof Failure) return error.outcome;
  const code = codeOf(error);
  if (TLS_CODES.test(code)) return { kind: 'tls_error', code };
  if (code === 'ETIMEDOUT') return { kind: 'timeout', phase: 'connect', afterMs: 0 };
  if (secure && code === 'ECONNRESET') return { kind: 'tls_error', code };
  return { kind: 'connect_error', code };
}

/** What went wrong between the request and the end of the answer's head, by the error's code. */
export function exchangeOutcome(error: unknown): Outcome {
  if (error instanceof Failure) return error.outcome;
  const code = codeOf(error);
  if (OVERFLOW_CODES.has(code)) return { kind: 'headers_too_large' };
  if (TLS_CODES.test(code)) return { kind: 'tls_error', code };
  if (RESET_CODES.has(code)) return { kind: 'connect_error', code: 'ECONNRESET' };
  return { kind: 'protocol_error', code };
}

/** The code of a system, TLS, parser or undici error; `UNKNOWN` when it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const hasCode = typeof error === 'object' && error !== null && 'code' in error;
  if (hasCode && typeof error.code === 'string') return error.code;
  return error instanceof Error ? parserReason(error) : 'UNKNOWN';
}

/** What undici's parser says in place of a code; never a word of what the receiver sent. */
function parserReason({ name, message }: Error): string {
  const reason = /\(([A-Za-z][A-Za-z0-9 ',/:-]+)\)$/.exec(message)?.[1];
  return name === 'HTTPParserError' && reason !== undefined ? reason : 'UNKNOWN';
}
