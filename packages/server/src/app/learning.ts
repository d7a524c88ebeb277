import type { Engine } from '../engine/engine.ts';
import { unreachable } from '../core/errors.ts';
import type { Registration, RegistrationRef } from '../core/registration.ts';
import type { FiltersService } from '../service/filters.ts';
import type { KeysService } from '../service/keys.ts';
import type { RegistrationsService } from '../service/registrations.ts';
import type { TenantsService } from '../service/tenants.ts';
import type { ConfigurationChange } from '../store/port.ts';

export type Learners = {
  readonly registrations: RegistrationsService;
  readonly filters: FiltersService;
  readonly tenants: TenantsService;
  readonly keys: KeysService;
  readonly engine: Pick<Engine, 'onRegistration' | 'align'>;
};

/** Hands what other nodes changed to those who keep it in memory. */
export function learning(learners: Learners): (change: ConfigurationChange) => void {
  const { registrations, filters, tenants, keys, engine } = learners;
  const learnRegistration = (ref: RegistrationRef, value: Registration | undefined): void => {
    const change = registrations.learn(ref, value);
    if (change === undefined) return;
    engine.onRegistration(change);
    if (change.kind === 'removed') engine.align(ref);
  };
  return (change) => {
    switch (change.kind) {
      case 'registration':
        return learnRegistration(change, change.value);
      case 'filter':
        return filters.learn(change.id, change.value);
      case 'key':
        return keys.learn(change.tenant, change.id, change.value);
      case 'tenant':
        tenants.learn(change.id, change.value);
        if (change.value !== undefined) return;
        keys.forgetTenant(change.id);
        for (const { tenant, id } of registrations.list(change.id))
          learnRegistration({ tenant, id }, undefined);
        return;
      default:
        return unreachable(change);
    }
  };
}
