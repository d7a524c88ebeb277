import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../core/clock.ts';
import { newId } from '../core/id.ts';
import { testRegistration } from '../core/testing/registration.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { createResuming, newestOfSubject } from './resuming.ts';

const subjectsOf = (_action: string, text: string): readonly string[] => text.split('').toSorted();

const held = (text: string) => ({ actions: ['A'], notifications: [text] });

test('newest first, a delivery is kept where it is the newest about one of its subjects', () => {
  const isNewest = newestOfSubject(subjectsOf);
  const kept = ['a', 'ab', 'b', '', 'abc', 'c', 'd', ''].filter((text) => isNewest(held(text)));
  assert.deepEqual(kept, ['a', 'ab', '', 'abc', 'd', '']);
});

test('of every subject the newest delivery is kept, and of what is kept each is the newest about something', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 3 })),
      (texts) => {
        const isNewest = newestOfSubject(subjectsOf);
        texts.forEach((text, place) => {
          const newer = new Set(texts.slice(0, place).join(''));
          const isNeeded = text === '' || text.split('').some((subject) => !newer.has(subject));
          assert.equal(isNewest(held(text)), isNeeded);
        });
      },
    ),
  );
});

const PAUSED = testRegistration({ isPaused: true });

test('of more than are looked at it is told that there are more, and what is not known', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-resuming-'));
  const store = await openSqliteStore({ path: join(folder, 'store.db') });
  const resuming = createResuming({
    store,
    registrations: {
      get: () => PAUSED,
      activate: () => Promise.resolve(undefined),
    },
    filters: { get: () => undefined },
    clock: systemClock,
    waiting: { moved: () => undefined },
    laneConcurrency: 1,
    mostLookedAt: 3,
  });
  const hold = (): Promise<unknown> => {
    const [id, acceptedAt] = [newId(Date.now()), Date.now()];
    const delivery = { id: newId(Date.now()), registrationId: PAUSED.id, state: 'held' as const };
    const deliveries = [{ ...delivery, leased: false, picks: null, orderKeys: null }];
    const rest = { occurredAt: null, payload: '{}', actions: ['A'], deliveries };
    const events = [{ id, tenant: PAUSED.tenant, acceptedAt, ...rest }];
    return store.accept([{ events, idempotency: null }]);
  };
  const seen = async (): Promise<unknown[]> => {
    const found = (await resuming.preview(PAUSED.tenant, PAUSED.id)) ?? assert.fail();
    return [found.held.count, found.held.isExact, found.all.sent, found.newest.sent];
  };
  for (let n = 0; n < 3; n += 1) await hold();
  assert.deepEqual(await seen(), [3, true, 3, 3]);
  await hold();
  assert.deepEqual(await seen(), [3, false, 3, null]);
  await store.close();
  rmSync(folder, { recursive: true });
});
