import type { Egress } from '../egress/port.ts';
import { makeAttempt, type SendingDeps } from './attempt.ts';
import type { Sender } from './port.ts';

/** Sends from this thread, by an egress that whoever opened it closes. */
export function directSender(deps: SendingDeps & { readonly egress: Egress }): Sender {
  const { egress } = deps;
  return {
    start: () => undefined,
    send: (registration, delivery) => makeAttempt(deps, registration, delivery),
    forget: (registrationKey) => egress.forget(registrationKey),
    close: () => Promise.resolve(),
  };
}
