import { BUILTIN_FILTERS, WILDCARD_FILTER } from '../catalog/builtin.ts';
import { WARNING_FILTERS } from '../catalog/warnings.ts';
import { type AuditEntry, auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { subjectKeys } from '../core/subjects.ts';
import { AppError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { isPrivateFilter, type Registration, WILDCARD } from '../core/registration.ts';
import { isOwnAction } from '../core/warning.ts';
import type { Store } from '../store/port.ts';
import { filterNote } from './audit.ts';
import type { Filters } from './library.ts';
import { refuseLonger } from './retention.ts';

export type FiltersDeps = {
  readonly store: Pick<Store, 'filters' | 'putFilter' | 'deleteFilter'>;
  readonly clock: Clock;
  /** How long the installation keeps what has ended: no filter can say more. */
  readonly retentionMs: number;
};

/** Every document lists them all. */
const MAX_OWN_FILTERS = 1000;

export type FiltersService = Filters & {
  /** Learns of a change that another node made; undefined where the filter is gone. */
  readonly learn: (name: string, filter: Filter | undefined) => void;
};

/** The catalogue: built in, and the operator's own. */
export async function createFilters({
  store,
  clock,
  retentionMs,
}: FiltersDeps): Promise<FiltersService> {
  const kept = new Map(
    (await store.filters()).map((filter) => [filter.name.toLowerCase(), filter]),
  );
  const builtIn = new Map(
    [...BUILTIN_FILTERS, ...WARNING_FILTERS, WILDCARD_FILTER].map((filter) => [
      filter.name.toLowerCase(),
      filter,
    ]),
  );
  /** What is built in stays, but for what is set of it. */
  const asSet = (filter: Filter): Filter => {
    const set = kept.get(filter.name.toLowerCase());
    return set === undefined
      ? filter
      : { ...filter, private: set.private, retentionMs: set.retentionMs ?? null };
  };
  const own = (): Filter[] => [...kept.values()].filter(({ name }) => !isBuiltIn(name));
  const isBuiltIn = (name: string): boolean => builtIn.has(name.toLowerCase());
  // Names are ASCII: letters that fold to ASCII ones, such as the Kelvin sign, are others.
  const get = (name: string): Filter | undefined => {
    if (!/^[\x20-\x7e]*$/.test(name)) return undefined;
    const built = builtIn.get(name.toLowerCase());
    return built === undefined ? kept.get(name.toLowerCase()) : asSet(built);
  };
  return {
    list: () => [...BUILTIN_FILTERS.map(asSet), ...WARNING_FILTERS, ...own(), WILDCARD_FILTER],
    get,
    isBuiltIn,
    put: async (filter: Filter, by = SERVICE) => {
      if (isBuiltIn(filter.name) && isOwnAction(filter.name)) throw builtInError(filter.name);
      refuseReserved(filter.name);
      refuseLonger(filter.retentionMs, retentionMs);
      const before = get(filter.name);
      if (before === undefined && own().length >= MAX_OWN_FILTERS)
        throw new AppError(
          'conflict',
          `There are ${MAX_OWN_FILTERS} own filters, the most there can be.`,
        );
      await store.putFilter(filter, noteOf(clock, by, before, filter));
      kept.set(filter.name.toLowerCase(), filter);
    },
    remove: async (name, by = SERVICE) => {
      if (isBuiltIn(name)) throw builtInError(name);
      refuseReserved(name);
      const filter = kept.get(name.toLowerCase());
      if (filter === undefined) return false;
      if (!(await store.deleteFilter(filter.name, noteOf(clock, by, filter, undefined))))
        return false;
      kept.delete(name.toLowerCase());
      return true;
    },
    learn: (name, filter) => {
      if (filter === undefined) kept.delete(name.toLowerCase());
      else kept.set(name.toLowerCase(), filter);
    },
  };
}

function noteOf(clock: Clock, by: Origin, before?: Filter, after?: Filter): AuditEntry {
  return auditEntry(clock.now(), by, {
    tenant: null,
    what: after === undefined ? 'filter deleted' : 'filter put',
    target: (after ?? before)?.name ?? '',
    before: before === undefined ? null : filterNote(before),
    after: after === undefined ? null : filterNote(after),
  });
}

function builtInError(name: string): AppError {
  return new AppError('conflict', `The filter '${name}' is built in and stays as it is.`);
}

function refuseReserved(name: string): void {
  if (isPrivateFilter(name) || isOwnAction(name) || name === WILDCARD) {
    throw new AppError('bad_request', `'${name}' is not a name for a filter.`);
  }
}

/** The subjects of a notification by the filter of its action, each as one text. */
export function subjectsBy(
  filters: Pick<Filters, 'get'>,
): (action: string, text: string) => readonly string[] {
  return (action, text) => subjectKeys(filters.get(action), text);
}

/** The example of the filter asked for, else of the first one subscribed to that has an example. */
export function exampleFor(
  filters: Filters,
  registration: Registration,
  name: string | null,
): object {
  if (name !== null) {
    const filter = filters.get(name);
    if (filter === undefined)
      throw new AppError('bad_request', `There is no filter '${name.slice(0, 200)}'.`);
    return filter.example ?? { Action: filter.name };
  }
  for (const subscribed of registration.filters) {
    const example = filters.get(subscribed)?.example;
    if (example !== null && example !== undefined) return example;
  }
  return filters.list().find((filter) => filter.example !== null)?.example ?? { Action: 'Test' };
}
