import type { Egress } from '../egress/port.ts';
import { makeAttempt, type SendingDeps } from './attempt.ts';
import type { Sender } from './port.ts';

/** Sends from this thread. */
export function directSender(deps: SendingDeps & { readonly egress: Egress }): Sender {
  const { egress } = deps;
  return {
    start: () => undefined,
    send: (registration, delivery) => makeAttempt(deps, registration, delivery),
    forget: (registrationKey) => egress.forget(registrationKey),
    close: () => egress.close(),
  };
}
