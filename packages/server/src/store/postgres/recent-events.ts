import { type Id, idAt } from '../../core/id.ts';
import type { NewEvent, Publication } from '../port.ts';
import { batchesOf } from './unindexed.ts';

/** Characters of events in memory; what comes beyond that is read from the database when its turn comes. */
const MAX_LENGTH = 16 * 1024 * 1024;
/** What another node accepted it looks over itself, unless it is gone: it is left to it for so long. */
const LEFT_TO_OTHERS_MS = 5000;
/** Above every id. */
export const ALL = 'g';

export type RecentEvent = Pick<NewEvent, 'tenant' | 'id' | 'actions' | 'payload'>;

/** Events of one tenant that wait in one row, named by the first of them. */
export type RecentBatch = {
  readonly tenant: string;
  readonly first: Id;
  readonly events: readonly RecentEvent[];
};

/** What this node accepted and nobody looked over yet, oldest first: it need not be read again for that. */
export class RecentEvents {
  #batches: RecentBatch[] = [];
  #length = 0;
  /** True while some of what this node accepted may be in the database alone: from an earlier run, or for want of room. */
  #hasMore = true;
  #othersAt = -Infinity;

  /** Takes what one commit wrote, as far as there is room. */
  add(written: readonly Publication[]): void {
    for (const events of batchesOf(written.flatMap((publication) => publication.events))) {
      const length = lengthOf(events);
      const [first] = events;
      if (this.#length + length > MAX_LENGTH || first === undefined) {
        this.#hasMore = true;
        continue;
      }
      this.#batches.push({ tenant: first.tenant, first: first.id, events: events.map(toRecent) });
      this.#length += length;
    }
  }

  /** Hands over the next, each once: whole batches until there are so many events. */
  take(limit: number): readonly RecentBatch[] {
    let count = 0;
    const end = this.#batches.findIndex(({ events }) => (count += events.length) >= limit);
    const taken = this.#batches.splice(0, end === -1 ? Infinity : end + 1);
    for (const { events } of taken) this.#length -= lengthOf(events);
    return taken;
  }

  /** Notes that what was taken is the database's again. */
  lose(): void {
    this.#hasMore = true;
  }

  /** Ids below this are for this node to read from the database now; null where none are. */
  othersBelow(now: number): Id | null {
    if (this.#hasMore) return ALL;
    if (now < this.#othersAt) return null;
    this.#othersAt = now + LEFT_TO_OTHERS_MS;
    return idAt(now - LEFT_TO_OTHERS_MS);
  }

  /** Notes that the database had no more of them. */
  readAll(below: Id): void {
    if (below === ALL) this.#hasMore = false;
  }
}

function toRecent({ tenant, id, actions, payload }: NewEvent): RecentEvent {
  return { tenant, id, actions, payload };
}

function lengthOf(events: readonly Pick<NewEvent, 'payload'>[]): number {
  return events.reduce((sum, { payload }) => sum + payload.length, 0);
}
