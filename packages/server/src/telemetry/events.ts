import type { MadeAttempt } from '../core/attempt.ts';
import type { Concern } from '../core/concern.ts';
import { explain } from '../core/explain.ts';
import { type Registration, registrationKey } from '../core/registration.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Each thing worth telling has one function, which writes its log line and counts it. */
export type Telemetry = {
  /** One wide line an attempt: at debug when it delivered, at info when it did not. */
  readonly attempted: (registration: Registration, attempt: MadeAttempt) => void;
  /** A rule kept a request from being sent: a delivery, a test or an echo. */
  readonly blocked: (blocked: {
    readonly pool: string;
    readonly host: string | null;
    readonly rule: string;
  }) => void;
  /** An endpoint fails, was switched off or is back. */
  readonly concerned: (concern: Concern) => void;
  readonly registered: (
    registration: Registration,
    change: 'added' | 'changed' | 'removed',
  ) => void;
  readonly started: (server: { readonly url: string; readonly version: string }) => void;
  readonly stopping: (reason: string) => void;
  readonly warned: (message: string) => void;
  readonly failed: (error: unknown, doing: string) => void;
  /** One line a call to the API, at debug; undefined where the log takes none. */
  readonly answered: ((call: Answered) => void) | undefined;
};

/** A call to the API: by its route, for paths may hold a stranger's text. */
export type Answered = {
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly tenant: string | undefined;
  readonly keyId: string | undefined;
};

const KNOWN_ENDS = 10_000;

export function createTelemetry(log: Logger, metrics: Metrics): Telemetry {
  const warnOfEnd = createEndWarning(log, metrics);
  return {
    attempted: (registration, attempt) => {
      metrics.attempted(attempt);
      warnOfEnd(registration, attempt);
      const delivered = attempt.outcome.kind === 'response' && attempt.outcome.status < 300;
      const level = delivered ? 'debug' : 'info';
      if (log.isLevelEnabled(level)) log[level](attemptLine(registration, attempt), 'attempt');
    },
    blocked: (blocked) => {
      metrics.blocked(blocked.rule);
      log.warn(blocked, 'blocked');
    },
    concerned: ({ registration: { tenant, id }, at: _at, kind, ...rest }) => {
      metrics.concerned(kind);
      const line = { tenant, registration: id, ...rest };
      log[kind === 'recovered' ? 'info' : 'warn'](line, `endpoint ${kind}`);
    },
    registered: ({ tenant, id, filters, isPaused }, change) => {
      log.info({ tenant, registration: id, filters, isPaused }, `registration ${change}`);
    },
    started: (server) => log.info(server, 'ready'),
    stopping: (reason) => log.info({ reason }, 'stopping'),
    warned: (message) => log.warn(message),
    failed: (error, doing) => log.error({ err: error }, doing),
    answered: log.isLevelEnabled('debug') ? (call) => log.debug(call, 'answered') : undefined,
  };
}

/** Warns once for each certificate of a registration's receiver that ends soon. */
function createEndWarning(
  log: Logger,
  metrics: Metrics,
): (registration: Registration, attempt: MadeAttempt) => void {
  const known = new Map<string, number>();
  return (registration, { outcome }) => {
    const endsAt = outcome.kind === 'response' ? outcome.certificateEndsAt : undefined;
    if (endsAt === undefined || known.get(registrationKey(registration)) === endsAt) return;
    if (known.size >= KNOWN_ENDS) known.clear();
    known.set(registrationKey(registration), endsAt);
    metrics.certificateEnding();
    const { tenant, id } = registration;
    const line = { tenant, registration: id, endsAt: new Date(endsAt).toISOString() };
    log.warn(line, 'the certificate of a receiver ends soon');
  };
}

function attemptLine({ tenant, id }: Registration, attempt: MadeAttempt): object {
  const { class: outcome, sentence } = explain(attempt.outcome);
  const { deliveryId: delivery, number, durationMs } = attempt;
  return { tenant, registration: id, delivery, number, durationMs, outcome, sentence };
}
