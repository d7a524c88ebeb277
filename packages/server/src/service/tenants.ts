import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { DEFAULT_TENANT, isTenantId, type Tenant } from '../core/tenant.ts';
import type { Store } from '../store/port.ts';
import type { Tenants } from './library.ts';

export type TenantsDeps = {
  readonly store: Pick<Store, 'tenants' | 'insertTenant' | 'renameTenant' | 'deleteTenant'>;
  readonly clock: Clock;
  /** Called before a tenant's rows are removed: nothing may be accepted or sent for it any more. */
  readonly onRemove: (tenant: string) => Promise<void>;
};

/** The institutions; the first start makes `default`. */
export async function createTenants(deps: TenantsDeps): Promise<Tenants> {
  const { store, clock } = deps;
  const known = new Map((await store.tenants()).map((tenant) => [tenant.id, tenant]));
  const create = async (id: string, name: string): Promise<Tenant> => {
    if (!isTenantId(id)) {
      throw new AppError(
        'bad_request',
        `A tenant's Id is 1 to 64 of a-z 0-9 . _ -, not '${id.slice(0, 80)}'.`,
      );
    }
    const tenant = { id, name, createdAt: clock.now() };
    if (!(await store.insertTenant(tenant)))
      throw new AppError('conflict', `There is a tenant '${id}' already.`);
    known.set(id, tenant);
    return tenant;
  };
  if (known.size === 0) await create(DEFAULT_TENANT, 'Default');
  return {
    list: () => [...known.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    get: (id) => known.get(id),
    create,
    rename: async (id, name) => {
      const tenant = known.get(id);
      if (tenant === undefined || !(await store.renameTenant(id, name))) return false;
      known.set(id, { ...tenant, name });
      return true;
    },
    remove: async (id) => {
      if (!known.delete(id)) return false;
      await deps.onRemove(id);
      return store.deleteTenant(id);
    },
  };
}
