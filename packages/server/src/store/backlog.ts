import { idTime } from '../core/id.ts';
import { type Count, COUNT_LIMIT } from './port.ts';
import type { TenantBacklog } from './statistics-port.ts';

export type Waiting = {
  /** Counted up to one more than `COUNT_LIMIT`. */
  readonly pending: number;
  readonly held: number;
  /** Of those that were counted. */
  readonly oldestId: string | null;
  readonly firstDueAt: number | null;
};

/** What a driver counted, in the port's words. */
export function backlogOf({ pending, held, oldestId, firstDueAt }: Waiting): TenantBacklog {
  const counted = countOf(pending);
  const oldest = oldestId === null ? null : idTime(oldestId);
  const oldestAt = counted.isExact ? oldest : earlier(oldest, firstDueAt);
  return { pending: counted, held: countOf(held), oldestAt };
}

function countOf(count: number): Count {
  return { count: Math.min(count, COUNT_LIMIT), isExact: count <= COUNT_LIMIT };
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
