import type { AnyNotification } from './notification.ts';

/** A delivery of a registration, sent or waiting. */
export type FeedItem = {
  /** Its number in the registration: 1, 2, 3 in the order of acceptance. */
  readonly Sequence: number;
  /** The same that it is sent with. */
  readonly Id: string;
  readonly EventId: string;
  readonly State: 'pending' | 'delivered' | 'exhausted' | 'held' | 'cancelled';
  readonly CreatedAt: string;
  readonly EndedAt: string | null;
  readonly Notifications: readonly AnyNotification[];
};

export type FeedPage = {
  readonly Items: readonly FeedItem[];
  /** Number of the newest delivery; 0 for none. */
  readonly Last: number;
};

/** Reads on from a number, page after page, to the newest delivery. */
export async function* readFeed(
  read: (after: number) => Promise<FeedPage>,
  after: number,
): AsyncGenerator<FeedItem> {
  for (let at = after; ;) {
    const { Items } = await read(at);
    yield* Items;
    const last = Items.at(-1);
    if (last === undefined) return;
    at = last.Sequence;
  }
}
