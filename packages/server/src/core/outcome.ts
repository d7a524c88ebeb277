/** What came of one HTTP try. Only `response` reached a server that answered. */
export type Outcome =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly response: ResponseRecord;
      /** When the receiver's certificate runs out, where that is soon. */
      readonly certificateEndsAt?: number;
    }
  | {
      readonly kind: 'timeout';
      readonly phase: 'connect' | 'tls' | 'response';
      readonly afterMs: number;
    }
  | { readonly kind: 'dns_error'; readonly host: string; readonly code: string }
  | { readonly kind: 'connect_error'; readonly code: string }
  | {
      readonly kind: 'tls_error';
      readonly code: string;
      /** Where its dates are what is wrong. */
      readonly certificate?: { readonly validFrom: number; readonly validTo: number };
    }
  | { readonly kind: 'protocol_error'; readonly code: string }
  | { readonly kind: 'headers_too_large' }
  | { readonly kind: 'blocked'; readonly rule: string };

/** What was received, cut to its limits. */
export type ResponseRecord = {
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** At most 64 KiB, invalid UTF-8 shown as U+FFFD. */
  readonly body: string;
  /** True when the body was cut or ended badly; the status decides all the same. */
  readonly truncated: boolean;
};

/** What follows from an outcome. */
export type Verdict = 'delivered' | 'retry' | 'gone';

/** Success is a complete 2xx head; 410 ends the registration; everything else is tried again. */
export function judge(outcome: Outcome): Verdict {
  if (outcome.kind !== 'response') return 'retry';
  if (outcome.status >= 200 && outcome.status <= 299) return 'delivered';
  return outcome.status === 410 ? 'gone' : 'retry';
}
