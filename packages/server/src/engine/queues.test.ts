import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DueHeap } from './due-heap.ts';
import { FairQueue } from './fair-queue.ts';
import { Fifo } from './fifo.ts';

test('a fifo gives back what it was given, in order, however pushes and shifts mix', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 4000 }), (pushes) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      pushes.forEach((push, n) => {
        if (push) {
          fifo.push(n);
          model.push(n);
        } else assert.equal(fifo.shift(), model.shift());
        assert.equal(fifo.length, model.length);
      });
      assert.deepEqual(fifo.drain(), model);
      assert.equal(fifo.length, 0);
    }),
    { numRuns: 50 },
  );
});

test('a fifo lets one item be taken out of its middle', () => {
  const fifo = new Fifo<number>();
  for (let n = 0; n < 5; n += 1) fifo.push(n);
  fifo.shift();
  assert.equal(
    fifo.remove((n) => n === 3),
    3,
  );
  assert.equal(
    fifo.remove((n) => n === 9),
    undefined,
  );
  assert.deepEqual(fifo.drain(), [1, 2, 4]);
});

test('a heap gives back what is due, earliest first, and nothing before its time', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 1000 })),
      fc.integer({ min: 0, max: 1000 }),
      (times, now) => {
        const heap = new DueHeap<number>();
        for (const time of times) heap.add(time, time);
        const taken: number[] = [];
        for (let item = heap.takeDue(now); item !== undefined; item = heap.takeDue(now))
          taken.push(item);
        assert.deepEqual(
          taken,
          times.filter((time) => time <= now).toSorted((a, b) => a - b),
        );
        assert.equal(heap.size, times.length - taken.length);
      },
    ),
  );
});

test('turns go round by tenant first, so that many members of one tenant wait for each other', () => {
  const queue = new FairQueue<{ tenant: string; name: string }>();
  for (let n = 0; n < 4; n += 1) queue.add({ tenant: 'big', name: `big ${n}` });
  queue.add({ tenant: 'small', name: 'small 0' });
  const order = Array.from({ length: 6 }, () => queue.take(() => true)?.name);
  assert.deepEqual(order, ['big 0', 'small 0', 'big 1', 'big 2', 'big 3', undefined]);
});

test('a tenant that may not have a turn keeps its place and holds up nobody', () => {
  const queue = new FairQueue<{ tenant: string }>();
  queue.add({ tenant: 'full' });
  queue.add({ tenant: 'free' });
  const isFree = (tenant: string): boolean => tenant === 'free';
  assert.equal(queue.take(isFree)?.tenant, 'free');
  assert.equal(queue.take(isFree), undefined);
  assert.equal(queue.take(() => true)?.tenant, 'full');
});
