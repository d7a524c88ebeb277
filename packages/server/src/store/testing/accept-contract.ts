import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewEvent, Publication, Store } from '../port.ts';
import { NOW, event, freshTenant } from './build.ts';
import { openForTests, type OpenStore } from './open-store.ts';

/** What a driver must do with calls that come again, at once, or with a mistake. */
export function acceptContract(open: OpenStore): void {
  let store: Store;
  openForTests(open, (opened) => {
    store = opened;
  });

  const accept = (...events: NewEvent[]) => store.accept([{ events, idempotency: null }]);

  test('a repeated key answers as the first call did, and conflicts for other content', async () => {
    const tenant = freshTenant();
    const publication = (hash: string, answer: string): Publication => ({
      events: [event(tenant, [])],
      idempotency: { tenant, key: 'k', hash, answer, at: NOW },
    });
    const results = await store.accept([
      publication('h', 'first'),
      publication('h', 'second'),
      publication('other', 'third'),
    ]);
    assert.deepEqual(results, [
      { kind: 'accepted', numbers: [] },
      { kind: 'repeated', answer: 'first' },
      { kind: 'conflict' },
    ]);
    assert.equal((await store.events({ tenant, limit: 10 })).length, 1);
    const other = freshTenant();
    const [elsewhere] = await store.accept([
      {
        events: [event(other, [])],
        idempotency: { tenant: other, key: 'k', hash: 'x', answer: '', at: NOW },
      },
    ]);
    assert.deepEqual(elsewhere, { kind: 'accepted', numbers: [] });
    assert.equal(await store.pruneIdempotency(NOW + 1, 1), 1);
    while ((await store.pruneIdempotency(NOW + 1, 1)) === 1);
    assert.deepEqual(await store.accept([publication('other', 'fourth')]), [
      { kind: 'accepted', numbers: [] },
    ]);
  });

  test('two hundred calls at once each get their own answer', async () => {
    const tenant = freshTenant();
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const idempotency = { tenant, key: `k${n % 100}`, hash: 'h', answer: `${n}`, at: NOW };
        const [answer] = await store.accept([{ events: [event(tenant, [])], idempotency }]);
        return answer?.kind;
      }),
    );
    assert.equal(answers.filter((kind) => kind === 'accepted').length, 100);
    assert.equal(answers.filter((kind) => kind === 'repeated').length, 100);
  });

  test('one call at fault does not take others with it', async () => {
    const tenant = freshTenant();
    const made = event(tenant, []);
    await accept(made);
    const [bad, good] = await Promise.allSettled([accept(made), accept(event(tenant, []))]);
    assert.deepEqual([bad.status, good.status], ['rejected', 'fulfilled']);
  });
}
