import { shardOf } from '../core/shard.ts';
import type { Acceptor } from './acceptor.ts';
import type { Claimer } from './claimer.ts';
import type { Lane } from './lane.ts';
import type { Roster } from './roster.ts';
import type { Settler } from './settler.ts';

/** Everything that may have a delivery in hand. */
export type Hands = {
  readonly roster: Pick<Roster, 'lanes'>;
  readonly claimer: Pick<Claimer, 'settled'>;
  readonly acceptor: Pick<Acceptor, 'settled'>;
  readonly settler: Pick<Settler, 'flush' | 'abandon'>;
  readonly removeLane: (lane: Lane) => void;
};

/**
 * Ends the lanes of these shards: what they had waiting is the store's, what they are sending is
 * finished. Resolves when nothing of them is in hand.
 */
export async function finish(hands: Hands, shards: ReadonlySet<number>): Promise<void> {
  const { roster, claimer, acceptor, settler, removeLane } = hands;
  const ending = [...roster.lanes].filter((lane) => shards.has(shardOf(lane)));
  for (const lane of ending) removeLane(lane);
  settler.flush();
  const sent = ending.map((lane) => lane.whenNothingInHand());
  await Promise.all([claimer.settled(), acceptor.settled(), ...sent]);
}

/** Puts everything down: others have all that this node had, and what comes of it is not written. */
export async function abandon(hands: Hands): Promise<void> {
  const { roster, claimer, acceptor, settler, removeLane } = hands;
  for (const lane of roster.lanes) {
    lane.isAbandoned = true;
    removeLane(lane);
  }
  await Promise.all([settler.abandon(), claimer.settled(), acceptor.settled()]);
}

/** False when it failed. */
export async function succeeds(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch {
    return false;
  }
}
