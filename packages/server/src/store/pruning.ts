import type { Id } from '../core/id.ts';

export type PruneSome = {
  readonly tenant: string;
  /** Null for all of the tenant's events. */
  readonly action: string | null;
  readonly before: number;
  /** The event that the step before ended with. */
  readonly after?: Id;
  readonly limit: number;
};

/** `next`: the event to go on behind; null at the end. */
export type PrunedSome = { readonly deliveries: number; readonly next: Id | null };

/** The part of a store that has to do with what is old. */
export interface PruningStore {
  /**
   * Removes at most `limit` deliveries that ended before `before`, with their attempts and the old
   * events that no delivery needs. Fewer than `limit` means it came to the end for now.
   */
  prune(before: number, limit: number): Promise<number>;
  /** The same for events of one tenant, or of these with one action; at most `limit` are looked at. */
  pruneSome(some: PruneSome): Promise<PrunedSome>;
  /** Forgets at most `limit` idempotency keys older than `before`. Fewer than `limit` means none is left. */
  pruneIdempotency(before: number, limit: number): Promise<number>;
}
