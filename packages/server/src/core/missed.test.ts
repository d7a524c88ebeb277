import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyMissed } from './missed.ts';

const event = {
  acceptedAt: 1000,
  actions: ['CourseCompleted', 'CourseCompleted'],
  notifications: ['{"Course":{"Id":"a"}}', '{"Course":{"Id":"b"}}'],
};
const old = { filters: ['*'], conditions: null, createdAt: 1, updatedAt: 1 };

test('an event misses a registration for the first reason that explains it', () => {
  const reasonOf = (rest: object): string => whyMissed({ ...old, ...rest }, event).reason;
  assert.equal(reasonOf({ createdAt: 1001, filters: ['Other'] }), 'made later');
  assert.equal(reasonOf({ filters: ['Other'], updatedAt: 2000 }), 'not subscribed');
  assert.equal(reasonOf({ filters: ['coursecompleted'], updatedAt: 2000 }), 'changed later');
  assert.equal(reasonOf({}), 'not kept');
  assert.equal(reasonOf({ conditions: '{"Course.Id":["c"]}' }), 'conditions not met');
  assert.equal(reasonOf({ conditions: '{"Course.Id":["b"]}' }), 'not kept');
});

test('it says what the registration is not subscribed to, or what its conditions want', () => {
  const { sentence } = whyMissed({ ...old, filters: ['Other'] }, event);
  assert.equal(sentence, 'It is not subscribed to CourseCompleted.');
  const narrowed = whyMissed({ ...old, conditions: '{"Course.Id":["c"]}' }, event);
  assert.match(narrowed.sentence, /Course\.Id.* is .*a.*wanted is .*c/);
});
