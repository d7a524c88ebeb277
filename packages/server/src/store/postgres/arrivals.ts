import { registrationKey } from '../../core/registration.ts';
import { shardOf } from '../../core/shard.ts';
import type { Arrival, Publication } from '../port.ts';
import type { HandRow, HandRows } from './in-hand.ts';
import { toPayload } from './listener.ts';
import type { Place } from './place.ts';

type Accepted = {
  readonly owns: Place['owns'];
  readonly rowOf: HandRows;
  readonly version: number | null;
};

/** What other nodes are to send: one message a commit, empty where there is nothing. */
export function messageTo(
  batch: readonly Publication[],
  { owns, rowOf, version }: Accepted,
): string {
  const arrivals = new Map<string, Named>();
  for (const { tenant, deliveries } of batch.flatMap(({ events }) => events)) {
    for (const { id, registrationId, state } of deliveries) {
      const ref = { tenant, id: registrationId };
      if (owns(shardOf(ref))) continue;
      const key = registrationKey(ref);
      const named = arrivals.get(key) ?? { ref, count: 0, names: new Set() };
      arrivals.set(key, named);
      if (state !== 'pending') continue;
      named.count += 1;
      named.names.add(nameOf(rowOf.get(id)) ?? id);
    }
  }
  if (arrivals.size === 0) return '';
  const wake = [...arrivals.values()].map(({ ref }) => ref);
  if (version === null) return toPayload({ wake });
  return toPayload({ arrivals: [...arrivals.values()].map(toArrival), version }, { wake });
}

type Named = {
  readonly ref: { readonly tenant: string; readonly id: string };
  count: number;
  readonly names: Set<string>;
};

function toArrival({ ref, count, names }: Named): Arrival {
  return { ...ref, count, names: [...names] };
}

function nameOf(row: HandRow | undefined): string | undefined {
  return row === undefined ? undefined : `${row.batch}.${row.part}`;
}

/** What arrived, by what it is to be looked for with: rows that it shares, or its own ids. */
export function namedIn(arrivals: readonly Arrival[]): {
  readonly rows: readonly HandRow[];
  readonly own: readonly { readonly tenant: string; readonly id: string }[];
} {
  const rows: HandRow[] = [];
  const own: { tenant: string; id: string }[] = [];
  for (const { tenant, names } of arrivals) {
    for (const name of names) {
      const [batch, part] = name.split('.');
      if (part === undefined) own.push({ tenant, id: name });
      else rows.push({ tenant, batch: Number(batch), part: Number(part) });
    }
  }
  return { rows: rows.toSorted(inOrder), own };
}

/** As all lock them. */
function inOrder(a: HandRow, b: HandRow): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1;
  return a.batch - b.batch || a.part - b.part;
}
