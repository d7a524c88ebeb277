import type { Roster } from './roster.ts';

export type Figures = LaneFigures & {
  /** Requests in flight. */
  readonly inFlight: number;
  /** Calls to accept that wait for the disk. */
  readonly waitingCalls: number;
  /** In the whole store, as far as this node knows. */
  readonly waiting: { readonly pending: number; readonly held: number };
};

type LaneFigures = {
  readonly lanes: number;
  readonly openBreakers: number;
  /** Deliveries that wait in lanes for their turn. */
  readonly inMemory: number;
  /** Deliveries being sent or written down. */
  readonly inHand: number;
};

/** What lanes have, added up. */
export function figuresOf(roster: Pick<Roster, 'lanes'>): LaneFigures {
  let [lanes, openBreakers, inMemory, inHand] = [0, 0, 0, 0];
  for (const lane of roster.lanes) {
    lanes += 1;
    openBreakers += Number(lane.openUntil !== null);
    inMemory += lane.queue.length;
    inHand += lane.inHand;
  }
  return { lanes, openBreakers, inMemory, inHand };
}
