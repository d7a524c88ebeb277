import type { Id } from '../../core/id.ts';
import { registrationKey } from '../../core/registration.ts';
import { shardOf } from '../../core/shard.ts';
import type { NewDelivery, Publication } from '../port.ts';

/** Deliveries share a row up to so many. */
const MOST_IN_A_ROW = 500;

/** A row of `deliveries_in_hand`. */
export type HandRow = {
  readonly tenant: string;
  /** The number of the batch that accepted them. */
  readonly batch: number;
  readonly part: number;
};

/** What is kept in memory of a delivery that lies in such a row: what the end of it is written with. */
export type InHandDelivery = {
  readonly row: HandRow;
  readonly eventId: Id;
  readonly registrationId: Id;
  /** As stored. */
  readonly picks: string | null;
  readonly sequence: number;
};

/** Which row each delivery of a batch goes into; none for what waits as a row of its own. */
export type HandRows = ReadonlyMap<Id, HandRow>;

/** What is leased shares rows of its tenant, what is for another node those of its registration. */
export function handRowsOf(
  batch: number,
  publications: readonly Publication[],
  owns: (shard: number) => boolean,
): HandRows {
  const rows = new Map<Id, HandRow>();
  const filling = new Map<string, { readonly row: HandRow; room: number }>();
  let part = 0;
  for (const { tenant, deliveries } of publications.flatMap(({ events }) => events)) {
    for (const delivery of deliveries) {
      const way = wayOf(tenant, delivery, owns);
      if (way === undefined) continue;
      let last = filling.get(way);
      if (last === undefined || last.room === 0) {
        last = { row: { tenant, batch, part: part++ }, room: MOST_IN_A_ROW };
        filling.set(way, last);
      }
      last.room -= 1;
      rows.set(delivery.id, last.row);
    }
  }
  return rows;
}

function wayOf(
  tenant: string,
  { registrationId, state, leased, orderKeys }: NewDelivery,
  owns: (shard: number) => boolean,
): string | undefined {
  if (leased) return tenant;
  const ref = { tenant, id: registrationId };
  if (state === 'held' || orderKeys !== null || owns(shardOf(ref))) return undefined;
  return registrationKey(ref);
}

/** What this node knows of the rows of which it has deliveries in hand. */
export class InHand {
  readonly #deliveries = new Map<Id, InHandDelivery>();
  readonly #rows = new Map<HandRow, Set<Id>>();

  /** Takes what was committed as leased by this node. */
  add(id: Id, delivery: InHandDelivery): void {
    this.#deliveries.set(id, delivery);
    const known = this.#rows.get(delivery.row);
    if (known === undefined) this.#rows.set(delivery.row, new Set([id]));
    else known.add(id);
  }

  get(id: Id): InHandDelivery | undefined {
    return this.#deliveries.get(id);
  }

  get rows(): readonly HandRow[] {
    return [...this.#rows.keys()];
  }

  /** True when nothing but these is left in the row. */
  isAllOf(row: HandRow, ids: ReadonlySet<Id>): boolean {
    const known = this.#rows.get(row);
    return known !== undefined && known.size <= ids.size && [...known].every((id) => ids.has(id));
  }

  /** What ended, or is a row of its own now. */
  remove(id: Id): void {
    const found = this.#deliveries.get(id);
    if (found === undefined) return;
    this.#deliveries.delete(id);
    const known = this.#rows.get(found.row);
    known?.delete(id);
    if (known?.size === 0) this.#rows.delete(found.row);
  }

  /** The row is no more. */
  removeRow(row: HandRow): void {
    for (const id of this.#rows.get(row) ?? []) this.#deliveries.delete(id);
    this.#rows.delete(row);
  }
}
