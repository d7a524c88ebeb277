import type { FeedQuery, FeedRow, Store } from '../store/port.ts';
import type { Feed, Registrations } from './library.ts';
import type { Privacy } from './privacy.ts';

export type FeedDeps = {
  readonly store: Pick<Store, 'feed' | 'lastSequence'>;
  readonly registrations: Pick<Registrations, 'get'>;
  readonly privacy: Pick<Privacy, 'mask'>;
};

/** Rows read at a time, because they can be large, and the characters after which an answer ends. */
const STEP = 32;
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** What a registration was sent and is to be sent, for receivers that poll or look for gaps. */
export function createFeed({ store, registrations, privacy }: FeedDeps): Feed {
  return {
    read: async (query) => {
      const { tenant, registrationId } = query;
      if (registrations.get(tenant, registrationId) === undefined) return undefined;
      // Before the rows, so that what comes meanwhile is told of by the next answer.
      const last = await store.lastSequence(tenant, registrationId);
      const rows = await rowsOf(store, query);
      return { items: rows.map((row) => privacy.mask(row)), last };
    },
  };
}

async function rowsOf(store: FeedDeps['store'], query: FeedQuery): Promise<readonly FeedRow[]> {
  const rows: FeedRow[] = [];
  let size = 0;
  while (rows.length < query.limit && size <= MAX_CHARACTERS) {
    const limit = Math.min(STEP, query.limit - rows.length);
    const after = rows.at(-1)?.sequence ?? query.after;
    const read = await store.feed({ ...query, after, limit });
    for (const row of read) {
      if (size > MAX_CHARACTERS) break;
      rows.push(row);
      for (const { length } of row.notifications) size += length;
    }
    if (read.length < limit) break;
  }
  return rows;
}
