import { openSealer } from '../../packages/server/src/app/encryption.ts';
import { openDataFolder } from '../../packages/server/src/app/data-folder.ts';
import { type Id, newId } from '../../packages/server/src/core/id.ts';
import type { Registration } from '../../packages/server/src/core/registration.ts';
import { sealRegistration } from '../../packages/server/src/service/sealing.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/store.ts';

export type Row = Pick<Registration, 'webHookUri'> & Partial<Pick<Registration, 'headers'>>;

/**
 * Puts registrations of the tenant `default` into the store of a server that does not run, past every
 * rule: rows of an older version, or of somebody at the database. Resolves with their ids.
 */
export async function writeRows(folder: string, rows: readonly Row[]): Promise<readonly Id[]> {
  const keys = openDataFolder({ path: folder, adminKey: null, encryptionKey: null });
  const store = await openSqliteStore({ path: keys.databasePath });
  const sealer = await openSealer(keys.encryptionKey, store);
  const ids: Id[] = [];
  for (const row of rows) {
    const now = Date.now();
    const id = newId(now);
    ids.push(id);
    await store.insertRegistration(
      sealRegistration(sealer, {
        id,
        tenant: 'default',
        secret: '0123456789abcdef0123456789abcdef',
        description: null,
        isPaused: false,
        filters: ['*'],
        headers: [],
        properties: '{}',
        createdAt: now,
        updatedAt: now,
        secretId: '#1',
        secretChangedAt: null,
        oldSecrets: [],
        conditions: null,
        switchedOff: null,
        ...row,
      }),
    );
  }
  await store.close();
  return ids;
}
