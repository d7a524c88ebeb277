import type { Id } from './id.ts';
import type { RegistrationRef } from './registration.ts';

/**
 * Values by registration. Both parts are looked up as they are: a text made of them would be hashed
 * anew each time, and this is asked several times for each delivery.
 */
export class RefMap<Value> {
  readonly #tenants = new Map<string, Map<Id, Value>>();

  get({ tenant, id }: RegistrationRef): Value | undefined {
    return this.#tenants.get(tenant)?.get(id);
  }

  set({ tenant, id }: RegistrationRef, value: Value): void {
    const own = this.#tenants.get(tenant);
    if (own === undefined) this.#tenants.set(tenant, new Map([[id, value]]));
    else own.set(id, value);
  }

  delete({ tenant, id }: RegistrationRef): void {
    const own = this.#tenants.get(tenant);
    own?.delete(id);
    if (own?.size === 0) this.#tenants.delete(tenant);
  }

  /** Those that are taken out meanwhile are passed over. */
  *values(): Iterable<Value> {
    for (const own of this.#tenants.values()) yield* own.values();
  }
}
