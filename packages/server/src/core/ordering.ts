/**
 * How a registration's deliveries follow one another: those of one subject in the order in which
 * they were accepted, or all of them in a single file. A registration without one has no order.
 */
export const ORDERINGS = ['subject', 'strict'] as const;
export type Ordering = (typeof ORDERINGS)[number];

/** What a delivery has at most; by those beyond it is not ordered. */
export const MAX_ORDER_KEYS = 1000;

/** The one key that all deliveries of a strict registration share; no subject is the empty text. */
const SINGLE_FILE: readonly string[] = [''];

/**
 * The keys a delivery is ordered by: it waits for every older unfinished delivery of its
 * registration with which it has one in common. Null when it waits for none, as an event without
 * subjects. `subjects` is asked only where they matter.
 */
export function orderKeys(
  ordering: Ordering | undefined,
  subjects: () => Iterable<string>,
): readonly string[] | null {
  if (ordering === undefined) return null;
  if (ordering === 'strict') return SINGLE_FILE;
  const keys = new Set<string>();
  for (const subject of subjects()) {
    if (keys.size === MAX_ORDER_KEYS) break;
    keys.add(subject);
  }
  return keys.size === 0 ? null : [...keys];
}
