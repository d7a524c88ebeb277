import type { Id } from '../core/id.ts';
import type { StatisticsRow } from '../core/statistics.ts';
import type { Count } from './port.ts';

/** Counts of one registration and filter, or of all where they are `ALL`. */
export type StatisticsQuery = Pick<StatisticsRow, 'tenant' | 'registrationId' | 'action'> & {
  /** Spans that begin from this time on, and before that. */
  readonly from: number;
  readonly to: number;
};

/** What waits of a tenant's registrations. */
export type TenantBacklog = {
  readonly pending: Count;
  readonly held: Count;
  /**
   * Since when the oldest pending one waits; null when there is none. Where the count is not exact,
   * since when the first is due that could be sent.
   */
  readonly oldestAt: number | null;
};

/** Statistics are kept as sums over spans of time, so that reading them costs the same at any size. */
export interface StatisticsStore {
  /** Adds to what is kept, all in one transaction; what belongs to no tenant that there is goes nowhere. */
  addStatistics(rows: readonly StatisticsRow[]): Promise<void>;
  /** Oldest first. */
  statistics(query: StatisticsQuery): Promise<readonly StatisticsRow[]>;
  /** Puts at most `limit` rows of spans that begin before `before` into longer spans; how many. */
  mergeStatistics(merge: {
    readonly stepMs: number;
    readonly intoMs: number;
    readonly before: number;
    readonly limit: number;
  }): Promise<number>;
  /** Removes at most `limit` rows of this span from before `before`; how many. */
  pruneStatistics(stepMs: number, before: number, limit: number): Promise<number>;
  backlog(tenant: string, registrationIds: readonly Id[]): Promise<TenantBacklog>;
}
