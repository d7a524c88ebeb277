import type { Database } from './database.ts';
import type { InHand } from './in-hand.ts';
import type { RecentEvents } from './recent-events.ts';

/** What every write of a node needs: the database, and who this node is. */
export type Place = {
  readonly database: Database;
  /** The epoch this node writes under; 0 while it has none. What names another one than the database knows leases nothing. */
  readonly epoch: () => number;
  /** True when this node sends for the shard. */
  readonly owns: (shard: number) => boolean;
  /** Numbers the batches that lease deliveries. */
  readonly leases: Leases;
  /** What it has in hand since it accepted it. */
  readonly inHand: InHand;
  /** What it accepted and nobody looked over yet. */
  readonly recent: RecentEvents;
};

/** Batches of one epoch that a number has room for. */
const PER_EPOCH = 2 ** 32;

/**
 * The numbers under which batches lease deliveries, so that a batch whose answer was lost can be
 * undone: whatever it leased is in nobody's memory.
 */
export class Leases {
  #last = 0;
  #lost: number[] = [];

  /** The number of a new batch; unique for ever. */
  next(epoch: number): number {
    this.#last += 1;
    return epoch * PER_EPOCH + this.#last;
  }

  /** Notes that nobody knows what this batch leased. */
  lose(lease: number): void {
    this.#lost.push(lease);
  }

  /** Batches to undo; the caller says when it has. */
  get lost(): readonly number[] {
    return this.#lost;
  }

  undone(leases: readonly number[]): void {
    this.#lost = this.#lost.filter((lease) => !leases.includes(lease));
  }
}

/** What holds as long as the node is a member: nobody can take over what it has before the commit. */
export const FENCE = `
fence as materialized (
  select epoch
    from nodes
   where epoch = $1
     for key share)`;
