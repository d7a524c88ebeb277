import type { MadeAttempt } from '../core/attempt.ts';
import type { Delivery } from '../core/delivery.ts';
import type { Registration } from '../core/registration.ts';

/** Makes attempts: what is decided becomes what is sent. */
export interface Sender {
  /** Makes ready; nothing is sent before. */
  start(): void;
  /** Makes one attempt, with the registration as it is given. Never rejects. */
  send(registration: Registration, delivery: Delivery): Promise<MadeAttempt>;
  /** Closes idle sockets of a registration, by `registrationKey`, that gets nothing more. */
  forget(registrationKey: string): void;
  /** What is still in flight ends as a broken connection. */
  close(): Promise<void>;
}
