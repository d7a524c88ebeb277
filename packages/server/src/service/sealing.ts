import type { Registration } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';

/** A registration as it is stored: its secret, the values of its headers and its URI are sealed. */
export function sealRegistration(sealer: Sealer, registration: Registration): Registration {
  const seal = (field: string, text: string): string =>
    sealer.seal(text, { tenant: registration.tenant, owner: registration.id, field });
  return {
    ...registration,
    webHookUri: seal('WebHookUri', registration.webHookUri),
    secret: seal('Secret', registration.secret),
    headers: registration.headers.map(([name, value]) => [name, seal(`Headers ${name}`, value)]),
  };
}

/** Throws SealError when a key is missing or a row was changed. */
export function openRegistration(sealer: Sealer, sealed: Registration): Registration {
  const open = (field: string, text: string): string =>
    sealer.open(text, { tenant: sealed.tenant, owner: sealed.id, field });
  return {
    ...sealed,
    webHookUri: open('WebHookUri', sealed.webHookUri),
    secret: open('Secret', sealed.secret),
    headers: sealed.headers.map(([name, value]) => [name, open(`Headers ${name}`, value)]),
  };
}
