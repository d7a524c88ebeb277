import { type Attempt, type MadeAttempt, madeOf } from '../attempt.ts';

type Given = Pick<Attempt, 'deliveryId' | 'startedAt' | 'outcome'> & Partial<Attempt>;

/** A first attempt of a millisecond; what is given stands. */
export function attemptOf(given: Given): MadeAttempt {
  const signedBy = { ms: '#1', standard: ['#1'] };
  return madeOf({ number: 1, durationMs: 1, requestHeaders: [], signedBy, ...given });
}
