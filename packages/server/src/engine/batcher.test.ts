import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batcher, type Hold } from './batcher.ts';

type Gate = { readonly opened: Promise<void>; readonly open: () => void };

function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

/** Notes the size of each batch; the first waits for `opened`. */
function counting(
  opened?: Promise<void>,
  hold?: Hold<number>,
): { batcher: Batcher<number, number>; sizes: number[] } {
  const sizes: number[] = [];
  const write = async (items: readonly number[]): Promise<readonly number[]> => {
    sizes.push(items.length);
    if (sizes.length === 1) await opened;
    return items;
  };
  const batcher = new Batcher({ write, maxItems: 10, ...(hold === undefined ? {} : { hold }) });
  return { batcher, sizes };
}

test('a lone item is written at once', async () => {
  const batcher = new Batcher<number, number>({
    write: (items) => Promise.resolve(items.map((item) => item * 2)),
    maxItems: 10,
  });
  assert.equal(await batcher.add(21), 42);
});

test('items of one turn are written together', async () => {
  const { batcher, sizes } = counting();
  await Promise.all([batcher.add(1), batcher.add(2), batcher.add(3)]);
  assert.deepEqual(sizes, [3]);
});

test('items that come while a write runs share the next one', async () => {
  const first = gate();
  const { batcher, sizes } = counting(first.opened);
  const all = [batcher.add(1)];
  batcher.flush();
  all.push(batcher.add(2), batcher.add(3));
  first.open();
  assert.deepEqual(await Promise.all(all), [1, 2, 3]);
  assert.deepEqual(sizes, [1, 2]);
});

test('held items go when there are enough of them', async () => {
  const { batcher, sizes } = counting(undefined, { items: 3, ms: 1_000_000 });
  await Promise.all([batcher.add(1), batcher.add(2), batcher.add(3)]);
  assert.deepEqual(sizes, [3]);
});

test('one that somebody waits for takes along all that are held, and those after it are held again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const isUrgent = (item: number): boolean => item === 0;
  const { batcher, sizes } = counting(undefined, { items: 9, ms: 10, isUrgent });
  await Promise.all([batcher.add(1), batcher.add(0), batcher.add(2)]);
  assert.deepEqual(sizes, [3]);
  const last = batcher.add(3);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sizes, [3]);
  t.mock.timers.tick(10);
  await last;
  assert.deepEqual(sizes, [3, 1]);
});

test('held items go after a time, and at once when they are asked for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { batcher, sizes } = counting(undefined, { items: 3, ms: 10 });
  const first = batcher.add(1);
  t.mock.timers.tick(9);
  assert.deepEqual(sizes, []);
  t.mock.timers.tick(1);
  await first;
  const second = batcher.add(2);
  batcher.flush();
  assert.deepEqual(sizes, [1, 1]);
  await second;
});

test('after a write it rests as it is told, and what comes meanwhile is written together', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sizes: number[] = [];
  const write = (items: readonly number[]): Promise<readonly number[]> => {
    sizes.push(items.length);
    return Promise.resolve(items);
  };
  const batcher = new Batcher<number, number>({ write, maxItems: 10, restMs: () => 5000 });
  assert.equal(await batcher.add(1), 1);
  const two = batcher.add(2);
  await new Promise(setImmediate);
  const three = batcher.add(3);
  await new Promise(setImmediate);
  assert.deepEqual(sizes, [1]);
  t.mock.timers.tick(5000);
  assert.deepEqual([await two, await three, sizes], [2, 3, [1, 2]]);
  const four = batcher.add(4);
  await batcher.idle();
  assert.deepEqual([await four, sizes], [4, [1, 2, 1]]);
});

test('held items are written when the batcher is asked to become idle', async () => {
  const { batcher, sizes } = counting(undefined, { items: 3, ms: 1_000_000 });
  const all = [batcher.add(1), batcher.add(2)];
  await batcher.idle();
  await Promise.all(all);
  assert.deepEqual(sizes, [2]);
});

test('enough of them are written without waiting for the turn to end or for a write that runs', async () => {
  const writes: { readonly items: readonly number[]; readonly end: () => void }[] = [];
  const batcher = new Batcher<number, number>({
    write: (items) =>
      new Promise((resolve) => {
        writes.push({ items, end: () => resolve(items) });
      }),
    maxItems: 10,
    maxWrites: 2,
    enough: { size: 3, sizeOf: (item) => item },
  });
  const added = [1, 2, 3, 1, 1].map((item) => batcher.add(item));
  assert.deepEqual(
    writes.map(({ items }) => items),
    [[1, 2], [3]],
  );
  added.push(batcher.add(1));
  const idle = batcher.idle();
  assert.equal(writes.length, 2, 'no more of them run than may');
  writes[1]?.end();
  assert.equal(await added[2], 3);
  assert.deepEqual(writes[2]?.items, [1, 1, 1]);
  writes[0]?.end();
  writes[2]?.end();
  assert.deepEqual(await Promise.all(added), [1, 2, 3, 1, 1, 1]);
  await idle;
});

test('a batch is never larger than its limit', async () => {
  const sizes: number[] = [];
  const batcher = new Batcher<number, number>({
    write: (items) => {
      sizes.push(items.length);
      return Promise.resolve(items);
    },
    maxItems: 4,
  });
  const results = await Promise.all(Array.from({ length: 10 }, (_, n) => batcher.add(n)));
  assert.deepEqual(results, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(Math.max(...sizes), 4);
});

test('a failed write rejects its own items and the next write goes on', async () => {
  let failing = true;
  const batcher = new Batcher<string, string>({
    write: (items) => (failing ? Promise.reject(new Error('disk full')) : Promise.resolve(items)),
    maxItems: 10,
  });
  await assert.rejects(batcher.add('lost'), /disk full/);
  failing = false;
  assert.equal(await batcher.add('kept'), 'kept');
});

test('idle resolves after everything that was added is written', async () => {
  const held = gate();
  const batcher = new Batcher<number, number>({
    write: async (items) => {
      await held.opened;
      return items;
    },
    maxItems: 1,
  });
  const both = Promise.all([batcher.add(1), batcher.add(2)]);
  let idle = false;
  const waiting = batcher.idle().then(() => {
    idle = true;
  });
  await Promise.resolve();
  assert.equal(idle, false);
  held.open();
  await both;
  await waiting;
  assert.equal(idle, true);
});
