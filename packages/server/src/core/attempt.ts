import type { Id } from './id.ts';
import type { Outcome } from './outcome.ts';

/** One HTTP try of a delivery: an immutable record. */
export type Attempt = {
  readonly deliveryId: Id;
  /** 1 for the first. */
  readonly number: number;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
  /** Headers as sent, in order; values of a registration's own headers are masked. */
  readonly requestHeaders: readonly (readonly [name: string, value: string])[];
  /** Ids of the secrets that signed, of the Standard Webhooks header in its order. */
  readonly signedBy: { readonly ms: string; readonly standard: readonly string[] };
  /** True when what was sent and what was answered is kept no more, because a learner was erased. */
  readonly erased?: true;
};

/** What the store keeps of an attempt in one piece. */
export type AttemptRecord = Pick<Attempt, 'outcome' | 'requestHeaders' | 'signedBy' | 'erased'>;

/** The record as the store keeps it: JSON. */
export function recordOf({ outcome, requestHeaders, signedBy, erased }: AttemptRecord): string {
  return JSON.stringify({ outcome, requestHeaders, signedBy, erased });
}

/** An attempt on its way to the store. */
export type MadeAttempt = Pick<Attempt, 'deliveryId' | 'number' | 'startedAt' | 'durationMs'> & {
  /** Of a delivery that was taken it may say the status alone: all of the answer stands in the record. */
  readonly outcome: Outcome;
  /** By `recordOf`. */
  readonly record: string;
};

/** An attempt as the store takes it. */
export function madeOf(attempt: Attempt): MadeAttempt {
  const { deliveryId, number, startedAt, durationMs, outcome } = attempt;
  return { deliveryId, number, startedAt, durationMs, outcome, record: recordOf(attempt) };
}

/** The whole attempt, as it is shown. */
export function wholeAttempt({ record, ...made }: MadeAttempt): Attempt {
  return { ...made, ...(JSON.parse(record) as AttemptRecord) };
}
