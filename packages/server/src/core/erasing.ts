import type { AttemptRecord } from './attempt.ts';

/** What the store keeps in place of a notification that was erased: no notification is the empty text. */
export const ERASED = '';

/** The reason of a delivery that ended because nothing is left of what it carried. */
export const ERASED_REASON = 'what it carried was erased';

/** The rule that such a delivery is not sent by. */
export const ERASED_RULE = 'erased';

/** What is shown in place of a notification that was erased. */
export function erasedNotification(action: string): string {
  return `{"Action":${JSON.stringify(action)},"Erased":true}`;
}

/** An attempt without what was sent and what was answered; how it ended stays. */
export function eraseAttempt<T extends AttemptRecord>(attempt: T): T & { readonly erased: true } {
  const { outcome } = attempt;
  const kept =
    outcome.kind === 'response'
      ? { ...outcome, response: { ...outcome.response, headers: [], body: '' } }
      : outcome;
  return { ...attempt, outcome: kept, requestHeaders: [], erased: true };
}
