import { BUILTIN_FILTERS, WILDCARD_FILTER } from '../catalog/builtin.ts';
import { AppError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { isPrivateFilter, WILDCARD } from '../core/registration.ts';
import type { Store } from '../store/port.ts';
import type { Filters } from './library.ts';

export type FiltersDeps = { readonly store: Pick<Store, 'filters' | 'putFilter' | 'deleteFilter'> };

/** The catalogue: built in, and the operator's own. */
export async function createFilters({ store }: FiltersDeps): Promise<Filters> {
  const own = new Map((await store.filters()).map((filter) => [filter.name.toLowerCase(), filter]));
  const builtIn = new Map(
    [...BUILTIN_FILTERS, WILDCARD_FILTER].map((filter) => [filter.name.toLowerCase(), filter]),
  );
  return {
    list: () => [...BUILTIN_FILTERS, ...own.values(), WILDCARD_FILTER],
    get: (name) => builtIn.get(name.toLowerCase()) ?? own.get(name.toLowerCase()),
    put: async (filter: Filter) => {
      refuseReserved(filter.name, builtIn);
      await store.putFilter(filter);
      own.set(filter.name.toLowerCase(), filter);
    },
    remove: async (name) => {
      refuseReserved(name, builtIn);
      if (!(await store.deleteFilter(name))) return false;
      own.delete(name.toLowerCase());
      return true;
    },
  };
}

function refuseReserved(name: string, builtIn: ReadonlyMap<string, Filter>): void {
  if (builtIn.has(name.toLowerCase())) {
    throw new AppError('conflict', `The filter '${name}' is built in and stays as it is.`);
  }
  if (isPrivateFilter(name) || name === WILDCARD) {
    throw new AppError('bad_request', `'${name}' is not a name for a filter.`);
  }
}
