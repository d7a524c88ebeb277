import { type AuditEntry, auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { DEFAULT_TENANT, isTenantId, type Tenant } from '../core/tenant.ts';
import type { Store } from '../store/port.ts';
import { tenantNote } from './audit.ts';
import type { Tenants } from './library.ts';
import { refuseLonger } from './retention.ts';

export type TenantsDeps = {
  readonly store: Pick<Store, 'tenants' | 'insertTenant' | 'updateTenant' | 'deleteTenant'>;
  readonly clock: Clock;
  /** How long the installation keeps what has ended: no tenant can say more. */
  readonly retentionMs: number;
  /** Called before a tenant's rows are removed: nothing may be accepted or sent for it any more. */
  readonly onRemove: (tenant: string, by: Origin) => Promise<void>;
};

export type TenantsService = Tenants & {
  /** Learns of a change that another node made; undefined where the tenant is gone or going. */
  readonly learn: (id: string, tenant: Tenant | undefined) => void;
};

/** The institutions; the first start makes `default`. */
export async function createTenants(deps: TenantsDeps): Promise<TenantsService> {
  const { store, clock } = deps;
  const known = new Map((await store.tenants()).map((tenant) => [tenant.id, tenant]));
  const noteOf = (by: Origin, what: string, before?: Tenant, after?: Tenant): AuditEntry => {
    const target = (before ?? after)?.id ?? '';
    const [was, is] = [before, after].map((each) => (each === undefined ? null : tenantNote(each)));
    const change = { tenant: target, what, target, before: was ?? null, after: is ?? null };
    return auditEntry(clock.now(), by, change);
  };
  const create: Tenants['create'] = async (id, settings, by = SERVICE) => {
    if (!isTenantId(id)) {
      throw new AppError(
        'bad_request',
        `A tenant's Id is 1 to 64 of a-z 0-9 . _ -, not '${id.slice(0, 80)}'.`,
      );
    }
    refuseLonger(settings.retentionMs, deps.retentionMs);
    const tenant = { id, createdAt: clock.now(), ...settings };
    const note = noteOf(by, 'tenant created', undefined, tenant);
    if (!(await store.insertTenant(tenant, note)))
      throw new AppError('conflict', `There is a tenant '${id}' already.`);
    known.set(id, tenant);
    return tenant;
  };
  if (known.size === 0) {
    await create(DEFAULT_TENANT, { name: 'Default', maxPending: null }).catch(
      async (error: unknown) => {
        // Another node that starts for the first time too was sooner.
        for (const tenant of await store.tenants()) known.set(tenant.id, tenant);
        if (known.size === 0) throw error;
      },
    );
  }
  return {
    list: () => [...known.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    get: (id) => known.get(id),
    create,
    change: async (id, settings, by = SERVICE) => {
      const tenant = known.get(id);
      if (tenant === undefined) return undefined;
      refuseLonger(settings.retentionMs, deps.retentionMs);
      const changed = { ...tenant, ...settings };
      const note = noteOf(by, 'tenant changed', tenant, changed);
      if (!(await store.updateTenant(changed, note))) return undefined;
      known.set(id, changed);
      return changed;
    },
    remove: async (id, by = SERVICE) => {
      const tenant = known.get(id);
      if (tenant === undefined) return false;
      known.delete(id);
      await deps.onRemove(id, by);
      return store.deleteTenant(id, noteOf(by, 'tenant deleted', tenant, undefined));
    },
    learn: (id, tenant) => {
      if (tenant === undefined) known.delete(id);
      else known.set(id, tenant);
    },
  };
}
