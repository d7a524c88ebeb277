import type { Outcome } from '../core/outcome.ts';

/** An attempt that ended without an answer, with the outcome it is recorded as. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

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
  if (TLS_CODES.test(code)) return { kind: 'tls_error', code };
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return { kind: 'connect_error', code: 'ECONNRESET' };
  return { kind: 'protocol_error', code };
}

/** The code of a system or TLS error; `UNKNOWN` when it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const hasCode = typeof error === 'object' && error !== null && 'code' in error;
  return hasCode && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
