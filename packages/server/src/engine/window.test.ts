import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery } from '../core/delivery.ts';
import type { Registration } from '../core/registration.ts';
import { Lane } from './lane.ts';
import { Window } from './window.ts';

const LIMIT = 10_000;

function deliveryOf(id: string, length: number): Delivery {
  return { id, notifications: ['x'.repeat(length)] } as unknown as Delivery;
}

function laneOf(id: string): Lane {
  return new Lane({ tenant: 't', id } as Registration, 8);
}

test('there is plenty while half of it is free, and it is full beyond its limit', () => {
  const [window, lane] = [new Window(LIMIT), laneOf('r')];
  const [first, second, third] = ['a', 'b', 'c'].map((id) => deliveryOf(id, LIMIT / 2 - 700));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  window.enqueue(lane, first);
  assert.deepEqual([window.hasPlenty, window.isFull], [true, false]);
  window.promise(lane, second);
  assert.deepEqual([window.hasPlenty, window.isFull], [false, false]);
  window.enqueue(lane, third);
  assert.deepEqual([window.hasPlenty, window.isFull], [false, true]);
  window.release(lane, second);
  assert.equal(window.isFull, false);
});

test('whatever way deliveries leave, nothing of them is counted any more', () => {
  const [window, lane] = [new Window(LIMIT), laneOf('r')];
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
