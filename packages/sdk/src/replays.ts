/** What is sent again: at least one member but `Rate`, and all that are given must be so. */
export type ReplayRequest = {
  /** `backfill` sends what the registration missed since `From`; it takes `From`, `To` and `Rate`. */
  readonly Kind?: 'replay' | 'backfill';
  /** When the deliveries were made, ISO 8601. */
  readonly From?: string;
  readonly To?: string;
  readonly States?: readonly ('delivered' | 'exhausted' | 'cancelled')[];
  readonly Filters?: readonly string[];
  /** A learner's or course's id, e-mail address or login name. */
  readonly Subject?: string;
  readonly Deliveries?: readonly string[];
  /** Deliveries a second at most: 50 where left out. */
  readonly Rate?: number;
};

type HeldPart = {
  /** At least, where `HeldIsExact` is false; null where it is not known, since more than 100,000 are held. */
  readonly Sent: number | null;
  /** Null where the receiver took nothing yet. */
  readonly EstimatedSeconds: number | null;
};

/** What is held for a registration, and what each way of resuming it comes to. */
export type ResumePreview = {
  readonly Held: number;
  /** False when there are more than that. */
  readonly HeldIsExact: boolean;
  readonly All: HeldPart;
  readonly Newest: HeldPart;
  readonly None: HeldPart;
};

export type Resumed = {
  readonly Held: 'all' | 'newest' | 'none';
  readonly Sent: number;
  readonly SentIsExact: boolean;
  readonly Cancelled: number;
};

export type Replay = {
  readonly Id: string;
  readonly Kind: 'replay' | 'backfill';
  readonly RegistrationId: string;
  readonly State: 'running' | 'paused' | 'done' | 'cancelled';
  readonly Reason: string | null;
  /** How many there were to send; null where that is not known. */
  readonly Total: number | null;
  readonly TotalIsExact: boolean;
  /** Deliveries made so far. */
  readonly Done: number;
  readonly ReachedAt: string | null;
  readonly Rate: number;
  readonly CreatedAt: string;
  readonly EndedAt: string | null;
};
