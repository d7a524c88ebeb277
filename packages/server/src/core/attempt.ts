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
