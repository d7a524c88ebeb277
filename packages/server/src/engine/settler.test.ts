import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../core/testing/attempt.ts';
import { newId } from '../core/id.ts';
import type { Settlement } from '../store/port.ts';
import { Settler } from './settler.ts';

const NOBODY = { moved: () => undefined };

test('nothing more is to be sent while what was sent does not get to the disk', async () => {
  let now = 0;
  const { promise: disk, resolve: comesBack } = Promise.withResolvers<void>();
  const settler = new Settler(
    { queuesWrites: true, settle: (batch) => disk.then(() => batch.map(() => true)) },
    NOBODY,
    () => now,
  );
  const written = settler.settle(settlement());
  settler.flush();
  now = 1000;
  assert.equal(settler.isFull, false);
  now = 1001;
  assert.equal(settler.isFull, true);
  comesBack();
  await written;
  assert.equal(settler.isFull, false);
});

test('what is written after a long rest does not count as waiting since before it', async () => {
  let now = 0;
  const settler = new Settler(
    { queuesWrites: true, settle: (batch) => Promise.resolve(batch.map(() => true)) },
    NOBODY,
    () => now,
  );
  await settler.settle(settlement());
  now = 60_000;
  const written = settler.settle(settlement());
  assert.equal(settler.isFull, false);
  await written;
});

function settlement(): Settlement {
  const deliveryId = newId(0);
  return {
    tenant: 'default',
    deliveryId,
    attempt: attemptOf({
      deliveryId,
      startedAt: 0,
      outcome: { kind: 'connect_error', code: 'ECONNREFUSED' },
    }),
    next: { state: 'delivered', reason: null },
    ordered: false,
  };
}

test('what is flushed goes beside a write that runs where the store queues writes, and after it elsewhere', async () => {
  for (const queuesWrites of [true, false]) {
    const disk = Promise.withResolvers<void>();
    let writes = 0;
    const settle = async (batch: readonly Settlement[]): Promise<boolean[]> => {
      writes += 1;
      await disk.promise;
      return batch.map(() => true);
    };
    const settler = new Settler({ queuesWrites, settle }, NOBODY, () => 0);
    const first = settler.settle(settlement());
    settler.flush();
    const second = settler.settle(settlement());
    settler.flush();
    assert.equal(writes, queuesWrites ? 2 : 1);
    disk.resolve();
    assert.deepEqual(await Promise.all([first, second]), [true, true]);
  }
});

test('what others wait for in an order is written at once, and takes along what is held', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const queuesWrites of [true, false]) {
    const sizes: number[] = [];
    const settle = (batch: readonly Settlement[]): Promise<readonly boolean[]> => {
      sizes.push(batch.length);
      return Promise.resolve(batch.map(() => true));
    };
    const settler = new Settler({ queuesWrites, settle }, NOBODY, () => 0);
    await Promise.all([
      settler.settle(settlement()),
      settler.settle({ ...settlement(), ordered: true }),
    ]);
    assert.deepEqual(sizes, [2]);
  }
});
