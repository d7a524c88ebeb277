import type { NewEvent } from '../port.ts';

/** Events whose keys are not noted yet wait in rows of so many at most. */
export const EVENTS_A_ROW = 500;

/** How events that were written together share rows: those of one tenant, in the order of their ids. */
export function batchesOf<T extends Pick<NewEvent, 'tenant' | 'id'>>(events: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (const own of Map.groupBy(events, ({ tenant }) => tenant).values()) {
    const sorted = own.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (let at = 0; at < sorted.length; at += EVENTS_A_ROW)
      batches.push(sorted.slice(at, at + EVENTS_A_ROW));
  }
  return batches;
}
