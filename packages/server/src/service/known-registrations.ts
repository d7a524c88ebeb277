import type { Registration } from '../core/registration.ts';

/** By tenant and then by lower-case id: ids compare ignoring case, as Microsoft's stores have it. */
export class KnownRegistrations {
  readonly #tenants = new Map<string, Map<string, Registration>>();

  of(tenant: string): readonly Registration[] {
    return [...(this.#tenants.get(tenant)?.values() ?? [])];
  }

  all(): readonly Registration[] {
    return [...this.#tenants.values()].flatMap((own) => [...own.values()]);
  }

  get(tenant: string, id: string): Registration | undefined {
    return this.#tenants.get(tenant)?.get(id.toLowerCase());
  }

  set(registration: Registration): void {
    const own = this.#tenants.get(registration.tenant) ?? new Map<string, Registration>();
    this.#tenants.set(registration.tenant, own);
    own.set(registration.id.toLowerCase(), registration);
  }

  delete(tenant: string, id: string): void {
    this.#tenants.get(tenant)?.delete(id.toLowerCase());
  }
}
