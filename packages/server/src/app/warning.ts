import type { Config } from '../config/config.ts';
import type { MadeAttempt } from '../core/attempt.ts';
import { systemClock } from '../core/clock.ts';
import type { Concern } from '../core/concern.ts';
import type { Registration } from '../core/registration.ts';
import * as warning from '../core/warning.ts';
import { openMailer } from '../egress/mail.ts';
import { createWarnings, type Warnings, type WarningsDeps } from '../service/warnings.ts';
import { authoritiesOf } from './outbound.ts';

/** Tells tenants and operators of troubles, through the engine's own machinery and by e-mail. */
export function openWarnings(
  config: Config,
  deps: Pick<WarningsDeps, 'accept' | 'poke' | 'onError'>,
): Warnings {
  const { operatorTenant, mail } = config;
  const mailer = mail === null ? null : openMailer({ ...mail, extraCa: authoritiesOf(config) });
  return createWarnings({ ...deps, operatorTenant, mailer, clock: systemClock });
}

/** What is told of an endpoint. */
export function warningOf(concern: Concern): warning.Warning {
  const { registration } = concern;
  switch (concern.kind) {
    case 'failing':
      return warning.failing(registration, concern);
    case 'switched-off':
      return warning.switchedOff(registration, concern.reason);
    case 'gone':
      return warning.gone(registration);
    case 'recovered':
      return warning.recovered(registration, concern.wasOff);
    case 'exhausted':
  }
  const { deliveryId: id, eventId, sentence } = concern;
  return warning.exhausted(registration, { id, eventId }, sentence);
}

/** Undefined where the receiver's certificate is good for long. */
export function certificateWarningOf(
  registration: Registration,
  { outcome }: MadeAttempt,
): warning.Warning | undefined {
  const endsAt = outcome.kind === 'response' ? outcome.certificateEndsAt : undefined;
  return endsAt === undefined ? undefined : warning.certificateEnding(registration, endsAt);
}
