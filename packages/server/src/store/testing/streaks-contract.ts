import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistrationRef } from '../../core/registration.ts';
import { ALL_SHARDS, shardOf } from '../../core/shard.ts';
import type { Streak } from '../../core/streak.ts';
import { testRegistration } from '../../core/testing/registration.ts';
import type { Store } from '../port.ts';
import { openForTests, type OpenStore } from './open-store.ts';

const NOW = Date.UTC(2026, 8, 1);
const FAILS: Streak = { failures: 7, since: NOW, told: 0, wasOff: false };

/** What a driver keeps of failing endpoints. */
export function streaksContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const registered = async (tenant: string, id: string): Promise<RegistrationRef> => {
    const registration = testRegistration({ id, tenant });
    await store.insertRegistration(registration);
    return { tenant, id };
  };
  const kept = async (shards: readonly number[] = ALL_SHARDS) =>
    (await store.streaks(shards)).toSorted((a, b) => (a.tenant + a.id < b.tenant + b.id ? -1 : 1));

  test('a streak is kept as it was put last, until there is none', async () => {
    const [one, other] = [await registered('s1', 'r'), await registered('s2', 'r')];
    await store.putStreaks([
      { ...one, streak: FAILS },
      { ...other, streak: { ...FAILS, told: 90, wasOff: true } },
    ]);
    const later: Streak = { failures: 2 ** 40, since: NOW + 1, told: 50, wasOff: true };
    await store.putStreaks([{ ...one, streak: later }]);
    assert.deepEqual(await kept(), [
      { ...one, streak: later },
      { ...other, streak: { ...FAILS, told: 90, wasOff: true } },
    ]);
    await store.putStreaks([
      { ...one, streak: null },
      { tenant: 's1', id: 'unknown', streak: null },
    ]);
    await store.putStreaks([]);
    assert.deepEqual(
      (await kept()).map(({ tenant }) => tenant),
      ['s2'],
    );
    await store.putStreaks([{ ...other, streak: null }]);
    assert.deepEqual(await kept(), []);
  });

  test('the streaks of some shards hold those of their registrations', async () => {
    const refs = await Promise.all(['a', 'b', 'c', 'd'].map((id) => registered('s3', id)));
    await store.putStreaks(refs.map((ref) => ({ ...ref, streak: FAILS })));
    const shards = refs.slice(0, 2).map(shardOf);
    const found = (await kept(shards)).map(({ id }) => id);
    for (const ref of refs.slice(0, 2)) assert.ok(found.includes(ref.id));
    assert.equal((await kept()).length, 4);
  });

  test('what is gone leaves no streak, and none is kept for it afterwards', async () => {
    const [goes, stays] = [await registered('s4', 'goes'), await registered('s4', 'stays')];
    await store.putStreaks([goes, stays].map((ref) => ({ ...ref, streak: FAILS })));
    await store.deleteRegistration('s4', 'goes');
    await store.putStreaks([{ ...goes, streak: FAILS }]);
    const left = async () => (await kept()).filter(({ tenant }) => tenant === 's4');
    assert.deepEqual(await left(), [{ ...stays, streak: FAILS }]);
    await store.insertTenant({ id: 's4', name: 'n', createdAt: NOW, maxPending: null });
    await store.deleteTenant('s4');
    await store.putStreaks([{ ...stays, streak: FAILS }]);
    assert.deepEqual(await left(), []);
  });
}
