import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../core/delivery.ts';
import type { Registration } from '../core/registration.ts';
import { Lane } from './lane.ts';
import { Window } from './window.ts';

function deliveryOf(id: string, length: number): Delivery {
  return { id, notifications: ['x'.repeat(length)] } as unknown as Delivery;
}

function laneOf(id: string): Lane {
  return new Lane(
    { tenant: 't', id, isPaused: false, switchedOff: null } as unknown as Registration,
    64,
  );
}

function learnt(lane: Lane, durationMs: number, answers: number): Lane {
  const response = { headers: [], body: '', truncated: false };
  const outcome = { kind: 'response', status: 200, response } as const;
  for (let n = 0; n < answers; n += 1) lane.learn({ outcome, durationMs }, n, 0);
  return lane;
}

function fill(lane: Lane, window: Window): void {
  while (lane.room() > 0) window.enqueue(lane, deliveryOf('x', 0));
}

test('a quick endpoint may go beyond its window while half of memory is free, a slow one may not', () => {
  const window = new Window(10_000_000);
  const [quick, slow] = [learnt(laneOf('quick'), 1, 100), learnt(laneOf('slow'), 1000, 100)];
  for (const lane of [quick, slow]) fill(lane, window);
  assert.deepEqual([window.takes(quick, 0), window.takes(slow, 0)], [true, false]);
  const large = deliveryOf('large', 5_000_000);
  window.promise(quick, large);
  assert.equal(window.takes(quick, 0), false);
  window.release(quick, large);
  assert.equal(window.takes(quick, 0), true);
});

test('nothing is taken past what waits in the store for the same endpoint', () => {
  const [window, lane] = [new Window(10_000_000), learnt(laneOf('r'), 1, 100)];
  assert.equal(window.takes(lane, 5), true);
  lane.noteDue(5);
  assert.deepEqual([window.takes(lane, 4), window.takes(lane, 5)], [true, false]);
});

test('while a claim brings what waits, a quick endpoint takes what is new and a slow one leaves it room', () => {
  const window = new Window(10_000_000);
  const [quick, slow] = [learnt(laneOf('quick'), 1, 100), learnt(laneOf('slow'), 1000, 100)];
  for (const lane of [quick, slow]) lane.claiming = true;
  assert.deepEqual([window.takes(quick, 0), window.takes(slow, 0)], [true, false]);
});

test('it is full beyond its limit', () => {
  const [window, lane] = [new Window(10_000), laneOf('r')];
  const half = deliveryOf('half', 4500);
  window.enqueue(lane, half);
  window.promise(lane, half);
  assert.equal(window.isFull, true);
  window.release(lane, half);
  assert.equal(window.isFull, false);
});

test('whatever way deliveries leave, nothing of them is counted any more', () => {
  const [window, lane] = [new Window(10_000), laneOf('r')];
  const budget = window.budget();
  for (const id of ['a', 'b', 'c', 'd']) window.enqueue(lane, deliveryOf(id, 1000));
  window.promise(lane, deliveryOf('e', 1000));
  assert.ok(window.budget() < budget);
  const sent = lane.queue.shift();
  assert.ok(sent !== undefined);
  window.left(sent);
  assert.equal(window.remove(lane, 'c'), true);
  assert.equal(window.remove(lane, 'c'), false);
  assert.deepEqual(
    window.empty(lane).map(({ id }) => id),
    ['b', 'd'],
  );
  window.release(undefined, deliveryOf('e', 1000));
  assert.equal(window.budget(), budget);
});
