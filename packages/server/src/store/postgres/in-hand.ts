import type { Id } from '../../core/id.ts';
import type { Publication } from '../port.ts';

/** Deliveries share a row up to so many. */
const MOST_IN_A_ROW = 500;

/** A row of `deliveries_in_hand`. */
export type HandRow = {
  readonly tenant: string;
  /** The number of the batch that leased them. */
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

/** The rows that the leased deliveries of a batch go into. */
export function handRowsOf(
  batch: number,
  publications: readonly Publication[],
): ReadonlyMap<Id, HandRow> {
  const rows = new Map<Id, HandRow>();
  const filling = new Map<string, { readonly row: HandRow; room: number }>();
  let part = 0;
  for (const { tenant, deliveries } of publications.flatMap(({ events }) => events)) {
    for (const { id } of deliveries.filter(({ leased }) => leased)) {
      let last = filling.get(tenant);
      if (last === undefined || last.room === 0) {
        last = { row: { tenant, batch, part: part++ }, room: MOST_IN_A_ROW };
        filling.set(tenant, last);
      }
      last.room -= 1;
      rows.set(id, last.row);
    }
  }
  return rows;
}

/** Of the rows that this node put deliveries in, those that it knows some of, and what it knows. */
export class InHand {
  readonly #deliveries = new Map<Id, InHandDelivery>();
  readonly #rows = new Map<HandRow, Set<Id>>();

  /** Takes what was committed so. */
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
