import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../core/id.ts';
import type { NewEvent, Store } from '../port.ts';
import { DELIVERED, NOW, delivery, event, freshTenant, registration, settlement } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver must keep of registrations, filters, tenants, keys and settings. */
export function installationContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  test('registrations come back as they were put in', async () => {
    const tenant = freshTenant();
    const made = registration(tenant, newId(NOW));
    await store.insertRegistration(made);
    await assert.rejects(store.insertRegistration(made));
    const changed = { ...made, isPaused: true, switchedOff: { at: NOW, reason: 'gone' } };
    assert.equal(await store.updateRegistration(changed), true);
    assert.equal(await store.updateRegistration({ ...made, tenant: freshTenant() }), false);
    assert.deepEqual(
      (await store.registrations()).filter((each) => each.tenant === tenant),
      [changed],
    );
    assert.equal(await store.deleteRegistration(tenant, made.id), true);
    assert.equal(await store.deleteRegistration(tenant, made.id), false);
  });

  test('filters are kept by name, whatever its case', async () => {
    const filter = {
      name: 'BadgeAwarded',
      description: 'd',
      schema: { type: 'object' },
      example: null,
      subjects: [],
      private: ['Learner.Email'],
    };
    await store.putFilter(filter);
    await store.putFilter({ ...filter, description: 'changed' });
    assert.deepEqual(
      (await store.filters()).map(({ description }) => description),
      ['changed'],
    );
    assert.equal(await store.deleteFilter('badgeawarded'), true);
    assert.equal(await store.deleteFilter('BadgeAwarded'), false);
  });

  test('tenants and keys come and go, and a tenant takes everything with it', async () => {
    const id = freshTenant();
    const tenant = { id, name: 'One', createdAt: NOW, maxPending: null };
    const changed = { ...tenant, name: 'New', maxPending: 5 };
    const stored = async () => (await store.tenants()).filter((each) => each.id === id);
    assert.equal(await store.insertTenant(tenant), true);
    assert.equal(await store.insertTenant({ ...tenant, name: 'Two' }), false);
    assert.deepEqual(await stored(), [tenant]);
    assert.equal(await store.updateTenant(changed), true);
    assert.deepEqual(await stored(), [changed]);
    const key = {
      id: newId(NOW),
      tenant: id,
      level: 'Publish',
      name: 'n',
      hash: 'h',
      createdAt: NOW,
      expiresAt: null,
    } as const;
    await store.insertKey(key);
    assert.deepEqual(
      (await store.keys()).filter((each) => each.tenant === id),
      [key],
    );
    assert.equal(await store.deleteKey(freshTenant(), key.id), false);
    const made = event(id, [delivery('r1')]);
    await accept(made);
    assert.equal(await store.deleteTenant(id), true);
    assert.deepEqual(
      (await store.keys()).filter((each) => each.tenant === id),
      [],
    );
    assert.equal(await store.event(id, made.id), undefined);
    assert.deepEqual(await store.deliveries({ tenant: id, limit: 10 }), []);
    assert.equal(await store.updateTenant(changed), false);
  });

  test('a tenant with many deliveries goes whole, and no other one with it', async () => {
    const [gone, stays] = [freshTenant(), freshTenant()];
    for (const id of [gone, stays]) {
      await store.insertTenant({ id, name: id, createdAt: NOW, maxPending: null });
      const idempotency = { tenant: id, key: 'k', hash: 'h', answer: 'a', at: NOW };
      const events = Array.from({ length: 1200 }, () => event(id, [delivery('r1')]));
      await store.accept([{ events, idempotency }]);
    }
    assert.equal(await store.deleteTenant(gone), true);
    assert.equal(await store.deleteTenant(gone), false);
    assert.deepEqual(await store.events({ tenant: gone, limit: 1 }), []);
    assert.equal((await store.deliveries({ tenant: stays, limit: 2000 })).length, 1200);
    const again = { tenant: gone, key: 'k', hash: 'other', answer: 'a', at: NOW };
    assert.deepEqual(await store.accept([{ events: [], idempotency: again }]), [
      { kind: 'accepted', numbers: [] },
    ]);
  });

  test('what is settled after its tenant was removed leaves nothing behind', async () => {
    const tenant = freshTenant();
    await store.insertTenant({ id: tenant, name: 't', createdAt: NOW, maxPending: null });
    const made = event(tenant, [delivery('r1', { leased: true })]);
    await accept(made);
    await store.deleteTenant(tenant);
    const id = made.deliveries[0]?.id ?? '';
    assert.deepEqual(await store.settle([settlement(tenant, id, DELIVERED)]), [false]);
    assert.equal(await store.delivery(tenant, id), undefined);
  });

  test('settings are kept, and a check writes', async () => {
    assert.equal(await store.setting('none'), undefined);
    await store.putSetting('name', 'value');
    await store.putSetting('name', 'other');
    assert.equal(await store.setting('name'), 'other');
    await store.check();
  });
}
