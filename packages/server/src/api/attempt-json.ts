import type { Attempt } from '../core/attempt.ts';
import { explainAttempt } from '../core/explain.ts';
import type { History } from '../core/explain-history.ts';

/**
 * One HTTP try as the API shows it: request as sent, response as received, timing, and a sentence.
 * Without a body where it is not to be shown.
 */
export function attemptJson(attempt: Attempt, body: string | undefined, history?: History): object {
  const { class: outcomeClass, remarks, sentence } = explainAttempt(attempt, history);
  return {
    Number: attempt.number,
    StartedAt: new Date(attempt.startedAt).toISOString(),
    DurationMs: attempt.durationMs,
    Outcome: outcomeClass,
    Sentence: sentence,
    Explanation: remarks.map(({ key, parameters }) => ({ Key: key, Parameters: parameters })),
    ...(attempt.erased === true ? { Erased: true } : {}),
    SignedBy: {
      MsSignature: attempt.signedBy.ms,
      WebhookSignature: attempt.signedBy.standard,
    },
    Request: { Headers: headerList(attempt.requestHeaders), Body: body },
    Response: responseJson(attempt),
  };
}

function responseJson({ outcome }: Attempt): object | null {
  if (outcome.kind !== 'response') return null;
  const { headers, body, truncated } = outcome.response;
  return { Status: outcome.status, Headers: headerList(headers), Body: body, Truncated: truncated };
}

/** A list, for names may repeat. */
function headerList(headers: readonly (readonly [name: string, value: string])[]): object[] {
  return headers.map(([name, value]) => ({ Name: name, Value: value }));
}
