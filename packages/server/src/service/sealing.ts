import type { Registration } from '../core/registration.ts';
import { type Sealer, SealError } from '../core/seal.ts';

/** A registration as it is stored: its secrets, the values of its headers and its URI are sealed. */
export function sealRegistration(sealer: Sealer, registration: Registration): Registration {
  const seal = (field: string, text: string): string =>
    sealer.seal(text, { tenant: registration.tenant, owner: registration.id, field });
  return {
    ...registration,
    webHookUri: seal('WebHookUri', registration.webHookUri),
    secret: seal('Secret', registration.secret),
    oldSecrets: registration.oldSecrets.map((old) => ({
      ...old,
      secret: seal(`OldSecrets ${old.id}`, old.secret),
    })),
    headers: registration.headers.map(([name, value]) => [name, seal(`Headers ${name}`, value)]),
  };
}

/** True when all of it is sealed with the first key. */
export function isSealedAnew(sealer: Sealer, sealed: Registration): boolean {
  const { webHookUri, secret, headers } = sealed;
  return [webHookUri, secret, ...headers.map(([, value]) => value)].every(sealer.isCurrent);
}

/** Throws SealError, with a sentence, when a key is missing or a row was changed. */
export function openRegistration(sealer: Sealer, sealed: Registration): Registration {
  try {
    return openFields(sealer, sealed);
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    const { tenant, id } = sealed;
    throw new SealError(
      `The registration ${id} of the tenant ${tenant} cannot be decrypted (${cause.message}): its key is missing, or its row was changed by something else than Schoolbell. Put the key back, or restore the store from a backup.`,
      { cause },
    );
  }
}

function openFields(sealer: Sealer, sealed: Registration): Registration {
  const open = (field: string, text: string): string =>
    sealer.open(text, { tenant: sealed.tenant, owner: sealed.id, field });
  return {
    ...sealed,
    webHookUri: open('WebHookUri', sealed.webHookUri),
    secret: open('Secret', sealed.secret),
    oldSecrets: sealed.oldSecrets.map((old) => ({
      ...old,
      secret: open(`OldSecrets ${old.id}`, old.secret),
    })),
    headers: sealed.headers.map(([name, value]) => [name, open(`Headers ${name}`, value)]),
  };
}
