import { randomBytes } from 'node:crypto';
import { auditEntry, type Origin, SERVICE } from '../core/audit.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { type Id, newId } from '../core/id.ts';
import { type ApiKey, keyDigest, type Level } from '../core/key.ts';
import type { Store } from '../store/port.ts';
import { keyNote } from './audit.ts';
import type { Keys, NewKey } from './library.ts';

export type KeysDeps = {
  readonly store: Pick<Store, 'keys' | 'insertKey' | 'deleteKey'>;
  readonly clock: Clock;
  readonly adminKey: string;
  /** False once a tenant is being removed: it gets no key any more. */
  readonly hasTenant: (tenant: string) => boolean;
};

type Identity = { level: Level; tenant: string; keyId: Id; keyName: string } | { level: 'Admin' };

export type KeysService = Keys & {
  readonly forgetTenant: (tenant: string) => void;
  /** Learns of a change that another node made; undefined where the key was revoked. */
  readonly learn: (tenant: string, id: Id, key: ApiKey | undefined) => void;
};

/** Keys are shown once; what is kept is their SHA-256, and that is what is compared. */
export async function createKeys(deps: KeysDeps): Promise<KeysService> {
  const { store, clock } = deps;
  const byHash = new Map((await store.keys()).map((key) => [key.hash, key]));
  const adminDigest = keyDigest(deps.adminKey);
  const remove = (test: (key: ApiKey) => boolean): void => {
    for (const key of byHash.values()) if (test(key)) byHash.delete(key.hash);
  };
  return {
    list: (tenant) => [...byHash.values()].filter((key) => key.tenant === tenant),
    create: async (tenant: string, request: NewKey, by: Origin = SERVICE) => {
      const key = `sb_${randomBytes(32).toString('base64url')}`;
      const id = newId(clock.now());
      const record = {
        ...request,
        id,
        tenant,
        hash: keyDigest(key),
        createdAt: clock.now(),
      };
      const change = {
        tenant,
        what: 'key created',
        target: id,
        before: null,
        after: keyNote(record),
      };
      await store.insertKey(record, auditEntry(clock.now(), by, change));
      // A tenant that was removed meanwhile took the stored key with it.
      if (!deps.hasTenant(tenant))
        throw new AppError('not_found', `There is no tenant '${tenant}'.`);
      byHash.set(record.hash, record);
      return { record, key };
    },
    revoke: async (tenant, id, by = SERVICE) => {
      const record = [...byHash.values()].find((key) => key.id === id && key.tenant === tenant);
      if (record === undefined) return false;
      const change = {
        tenant,
        what: 'key revoked',
        target: id,
        before: keyNote(record),
        after: null,
      };
      if (!(await store.deleteKey(tenant, id, auditEntry(clock.now(), by, change)))) return false;
      remove((key) => key.id === id && key.tenant === tenant);
      return true;
    },
    forgetTenant: (tenant) => remove((key) => key.tenant === tenant),
    learn: (tenant, id, key) => {
      remove((known) => known.id === id && known.tenant === tenant);
      if (key !== undefined) byHash.set(key.hash, key);
    },
    authenticate: (digest) => identify(digest, { adminDigest, byHash, now: clock.now() }),
  };
}

/** Digests are compared and never keys, so that the time it takes tells nothing of how near a guess is. */
function identify(
  digest: string,
  known: { adminDigest: string; byHash: ReadonlyMap<string, ApiKey>; now: number },
): Identity | undefined {
  if (digest === known.adminDigest) return { level: 'Admin' };
  const record = known.byHash.get(digest);
  if (record === undefined || (record.expiresAt !== null && record.expiresAt <= known.now))
    return undefined;
  return { level: record.level, tenant: record.tenant, keyId: record.id, keyName: record.name };
}
