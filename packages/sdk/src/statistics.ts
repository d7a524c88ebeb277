export type StatisticsQuery = {
  /** ISO 8601, with its zone. */
  readonly from?: string;
  readonly to?: string;
  readonly step?: 'minute' | 'hour' | 'day';
  readonly registrationId?: string;
  /** Name of a filter. */
  readonly action?: string;
};

/** Milliseconds, to within ten per cent. */
export type Percentiles = { readonly P50: number; readonly P90: number; readonly P99: number };

export type Counts = {
  /** Events. */
  readonly Published: number;
  readonly Deliveries: number;
  readonly Delivered: number;
  readonly Exhausted: number;
  readonly Attempts: number;
  /** Attempts that did not deliver, by outcome class. */
  readonly Failed: Readonly<Record<string, number>>;
  /** From publishing to delivery; null where nothing was delivered. */
  readonly LatencyMs: Percentiles | null;
  readonly AttemptMs: Percentiles | null;
};

export type Statistics = {
  readonly From: string;
  readonly To: string;
  readonly Step: 'minute' | 'hour' | 'day';
  readonly RegistrationId: string | null;
  readonly Action: string | null;
  readonly Total: Counts;
  /** Now, and of all filters. */
  readonly Backlog: {
    readonly Pending: number;
    /** False when there are more than the 10,000 that are counted. */
    readonly PendingIsExact: boolean;
    readonly Held: number;
    readonly HeldIsExact: boolean;
    readonly OldestPendingSeconds: number | null;
  };
  /** Every span of the time asked for, oldest first. */
  readonly Buckets: readonly ({ readonly At: string } & Counts)[];
};
