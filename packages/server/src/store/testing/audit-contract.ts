import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditEntry, auditEntry, SERVICE } from '../../core/audit.ts';
import { newId } from '../../core/id.ts';
import type { ApiKey } from '../../core/key.ts';
import type { AuditQuery, NewEvent, Store } from '../port.ts';
import { DAY_MS, delivery, event, freshTenant, idOf, NOW, registration } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver must keep of who did what. */
export function auditContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  /** Its id is of its time, also where that is long ago. */
  const entry = (tenant: string | null, target: string, at = NOW): AuditEntry => ({
    ...auditEntry(at, SERVICE, {
      tenant,
      what: 'thing changed',
      target,
      before: null,
      after: { 'line\nbreak': '\u0000 "quoted"' },
    }),
    id: idOf(at),
  });

  test('the audit log is newest first, by tenant and time, and shows the installation to operators only', async () => {
    const [one, other] = [freshTenant(), freshTenant()];
    const kept = [
      entry(one, 'a'),
      entry(null, 'b', NOW + 1),
      entry(other, 'c', NOW + 2),
      entry(one, 'd', NOW + 3),
    ] as const;
    for (const each of kept) await store.note(each);
    const targets = async (query: Omit<AuditQuery, 'limit'>, limit = 10) =>
      (await store.audit({ ...query, limit })).map(({ target }) => target);
    assert.deepEqual(await store.audit({ tenant: one, limit: 10 }), [kept[3], kept[0]]);
    assert.deepEqual(await targets({ tenant: one }, 1), ['d']);
    assert.deepEqual(await targets({ tenant: one, before: kept[3].id }), ['a']);
    assert.deepEqual(await targets({ tenant: one, from: NOW + 1 }), ['d']);
    assert.deepEqual(await targets({ tenant: one, to: NOW + 1 }), ['a']);
    assert.deepEqual(await targets({ from: NOW, to: NOW + 4 }), ['d', 'c', 'b', 'a']);
  });

  test('a change and its audit entry are kept together, and what changes nothing is not noted', async () => {
    const tenant = freshTenant();
    const id = newId(NOW);
    const made = registration(tenant, id);
    const key: ApiKey = {
      id,
      tenant,
      level: 'Publish',
      name: 'n',
      hash: `h${id}`,
      createdAt: NOW,
      expiresAt: null,
    };
    const nothing = { schema: null, example: null, subjects: [], private: [] };
    const filter = { name: `F${id}`, description: 'd', ...nothing };
    const waiting = delivery('r1');
    await accept(event(tenant, [waiting]));
    const notes: AuditEntry[] = [];
    const note = (target: string): AuditEntry => {
      const next = entry(tenant, target);
      notes.push(next);
      return next;
    };
    const institution = { id: tenant, name: 'n', createdAt: NOW, maxPending: null };
    await store.insertTenant(institution, note('insertTenant'));
    await store.updateTenant({ ...institution, name: 'm' }, note('updateTenant'));
    await store.insertRegistration(made, note('insertRegistration'));
    await store.updateRegistration(made, note('updateRegistration'));
    await store.deleteRegistration(tenant, id, note('deleteRegistration'));
    await store.putFilter(filter, note('putFilter'));
    await store.deleteFilter(filter.name, note('deleteFilter'));
    await store.insertKey(key, note('insertKey'));
    await store.deleteKey(tenant, id, note('deleteKey'));
    await store.cancel(tenant, waiting.id, NOW, note('cancel'));
    await store.retry(tenant, waiting.id, NOW, note('retry'));
    await store.deleteTenant(tenant, note('deleteTenant'));
    const none = entry(tenant, 'none');
    const other = { ...institution, id: 'default' };
    assert.equal(await store.insertTenant(other), true);
    assert.equal(await store.insertTenant(other, none), false);
    assert.equal(await store.updateTenant(institution, none), false);
    assert.equal(await store.updateRegistration(made, none), false);
    assert.equal(await store.deleteRegistration(tenant, id, none), false);
    assert.equal(await store.deleteFilter(filter.name, none), false);
    assert.equal(await store.deleteKey(tenant, id, none), false);
    assert.equal(await store.cancel(tenant, waiting.id, NOW, none), false);
    assert.equal(await store.retry(tenant, waiting.id, NOW, none), false);
    assert.equal(await store.deleteTenant(tenant, none), false);
    await store.insertRegistration(made);
    await assert.rejects(store.insertRegistration(made, none));
    await store.deleteTenant('default');
    assert.deepEqual(await store.audit({ tenant, limit: 100 }), notes.toReversed());
  });

  test('old entries of the audit log go oldest first, in steps, those of tenants that are gone too', async () => {
    const tenant = freshTenant();
    await store.insertTenant({ id: tenant, name: 'n', createdAt: NOW, maxPending: null });
    const old = NOW - 400 * DAY_MS;
    const kept = [0, 1, 2].map((n) => entry(tenant, `old${n}`, old + n));
    for (const each of [...kept, entry(tenant, 'young')]) await store.note(each);
    await store.deleteTenant(tenant);
    const targets = async () =>
      (await store.audit({ tenant, limit: 10 })).map(({ target }) => target);
    assert.equal(await store.pruneAudit(NOW - 365 * DAY_MS, 2), 2);
    assert.deepEqual(await targets(), ['young', 'old2']);
    assert.equal(await store.pruneAudit(NOW - 365 * DAY_MS, 2), 1);
    assert.deepEqual(await targets(), ['young']);
  });
}
