import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { newId } from '../core/id.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { Housekeeping } from './housekeeping.ts';

const DAY_MS = 86_400_000;
const ACCEPTED = Date.UTC(2026, 8, 1);

test('a round removes what is past the retention of its tenant or filter, and keeps the rest', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-housekeeping-'));
  const store = await openSqliteStore({ path: join(folder, 's.db') });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const events = ['short', 'long'].flatMap((tenant) =>
    ['Done', 'Seen'].map((action) => ({
      id: newId(ACCEPTED),
      tenant,
      acceptedAt: ACCEPTED,
      occurredAt: null,
      payload: '{}',
      actions: [action],
      deliveries: [],
    })),
  );
  await store.accept([{ events, idempotency: null }]);
  await store.index({}, 100);
  const failed: unknown[] = [];
  const housekeeping = new Housekeeping({
    store,
    clock: { now: () => ACCEPTED + 5 * DAY_MS },
    retentionMs: 30 * DAY_MS,
    auditRetentionMs: 30 * DAY_MS,
    statisticsRetentionMs: 61 * DAY_MS,
    shorter: () => [
      { tenant: 'short', action: null, retentionMs: DAY_MS },
      { tenant: 'long', action: 'Seen', retentionMs: 2 * DAY_MS },
      { tenant: 'long', action: 'Done', retentionMs: 20 * DAY_MS },
    ],
    forget: () => Promise.resolve(),
    onError: (error) => failed.push(error),
  });
  housekeeping.start();
  const left = async () =>
    (await Promise.all(['short', 'long'].map((tenant) => store.events({ tenant, limit: 10 }))))
      .flat()
      .map(({ tenant, actions }) => [tenant, ...actions]);
  while ((await left()).length > 1 && failed.length === 0);
  await housekeeping.stop();
  assert.deepEqual(failed, []);
  assert.deepEqual(await left(), [['long', 'Done']]);
});
