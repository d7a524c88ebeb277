import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Unfinished } from '../store/port.ts';
import { Waiting } from './waiting.ts';

/** A store whose answer a test gives when it wants to. */
class SlowStore {
  asked = 0;
  #answers: ((rows: readonly Unfinished[]) => void)[] = [];

  readonly unfinished = (): Promise<readonly Unfinished[]> => {
    this.asked += 1;
    return new Promise((resolve) => this.#answers.push(resolve));
  };

  async answer(...rows: readonly Unfinished[]): Promise<void> {
    this.#answers.shift()?.(rows);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function open(rows: readonly Unfinished[], quota = 10) {
  const store = new SlowStore();
  const time = { now: 1_000_000 };
  const waiting = new Waiting({ store, now: () => time.now, maxPending: () => quota });
  const started = waiting.start();
  await store.answer(...rows);
  await started;
  return { store, time, waiting };
}

test('begins with what the store has, and follows what moves', async () => {
  const { waiting } = await open([
    { tenant: 'a', pending: 3, held: 2 },
    { tenant: 'b', pending: 1, held: 0 },
  ]);
  assert.deepEqual(waiting.total(), { pending: 4, held: 2 });
  waiting.moved('a', null, 'pending', 2);
  waiting.moved('a', 'pending', 'held');
  waiting.moved('b', 'pending', 'delivered');
  waiting.moved('c', 'exhausted', 'pending');
  waiting.moved('c', null, 'held');
  waiting.moved('c', 'held', 'cancelled');
  assert.deepEqual(waiting.total(), { pending: 5, held: 3 });
  await waiting.stop();
});

test('a tenant is over its quota from as many on as it may have, pending and held together', async () => {
  const { waiting } = await open([{ tenant: 'a', pending: 5, held: 4 }]);
  assert.equal(waiting.overQuota('a'), undefined);
  assert.equal(waiting.overQuota('b'), undefined);
  waiting.moved('a', null, 'held');
  assert.deepEqual(waiting.overQuota('a'), { tenant: 'a', waiting: 10, quota: 10 });
  waiting.moved('a', 'pending', 'delivered');
  assert.equal(waiting.overQuota('a'), undefined);
  await waiting.stop();
});

test('near its quota what others did is learnt within a second, and not more often', async () => {
  const { store, time, waiting } = await open([{ tenant: 'a', pending: 8, held: 0 }]);
  time.now += 5000;
  waiting.overQuota('a');
  assert.equal(store.asked, 1);
  waiting.moved('a', null, 'pending');
  assert.equal(waiting.overQuota('a'), undefined);
  assert.equal(store.asked, 2);
  waiting.overQuota('a');
  assert.equal(store.asked, 2);
  await store.answer({ tenant: 'a', pending: 12, held: 0 });
  assert.equal(waiting.overQuota('a')?.waiting, 12);
  assert.equal(store.asked, 2);
  time.now += 1000;
  waiting.overQuota('a');
  assert.equal(store.asked, 3);
  await store.answer();
  assert.equal(waiting.overQuota('a'), undefined);
  await waiting.stop();
});

test('sending what another node accepted never makes it less than nothing', async () => {
  const { store, time, waiting } = await open([{ tenant: 'a', pending: 1, held: 0 }], 3);
  waiting.moved('a', 'pending', 'delivered', 100);
  waiting.moved('a', null, 'pending', 3);
  assert.equal(waiting.overQuota('a')?.waiting, 3);
  time.now += 5000;
  waiting.overQuota('a');
  waiting.moved('a', 'pending', 'delivered', 5);
  await store.answer({ tenant: 'a', pending: 4, held: 1 });
  assert.deepEqual(waiting.total(), { pending: 0, held: 1 });
  await waiting.stop();
});

test('what moves while the store counts is not lost', async () => {
  const { store, time, waiting } = await open([{ tenant: 'a', pending: 10, held: 0 }]);
  time.now += 5000;
  waiting.overQuota('a');
  waiting.moved('a', 'pending', 'delivered', 4);
  waiting.moved('b', null, 'pending', 2);
  await store.answer({ tenant: 'a', pending: 9, held: 1 });
  assert.deepEqual(waiting.total(), { pending: 7, held: 1 });
  waiting.moved('a', 'pending', 'delivered');
  assert.deepEqual(waiting.total(), { pending: 6, held: 1 });
  await waiting.stop();
});

test('counting that takes long is done less often', async () => {
  const { store, time, waiting } = await open([{ tenant: 'a', pending: 10, held: 0 }]);
  time.now += 5000;
  waiting.overQuota('a');
  time.now += 3000;
  await store.answer({ tenant: 'a', pending: 10, held: 0 });
  time.now += 59_000;
  waiting.overQuota('a');
  assert.equal(store.asked, 2);
  time.now += 1000;
  waiting.overQuota('a');
  assert.equal(store.asked, 3);
  await store.answer();
  await waiting.stop();
});

test('everything is counted again once a minute, also after a failure', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    let asked = 0;
    const answers = [
      () => Promise.resolve([{ tenant: 'a', pending: 1, held: 0 }]),
      () => Promise.reject(new Error('the disk is gone')),
      () => Promise.resolve([{ tenant: 'a', pending: 7, held: 0 }]),
    ];
    const unfinished = () => answers[asked++]?.() ?? Promise.resolve([]);
    const waiting = new Waiting({ store: { unfinished }, now: () => 0, maxPending: () => 100 });
    await waiting.start();
    const ends = [1, 1, 7];
    for (const pending of ends) {
      assert.deepEqual(waiting.total(), { pending, held: 0 });
      mock.timers.tick(60_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await waiting.stop();
    mock.timers.tick(120_000);
    assert.equal(asked, 4);
  } finally {
    mock.timers.reset();
  }
});
