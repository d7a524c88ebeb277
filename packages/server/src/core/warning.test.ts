import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gone, isOwnAction, notificationText } from './warning.ts';

const REGISTRATION = { id: 'r1', tenant: 't', webHookUri: 'https://user:secret@receiver.example/' };

test('a description that forges lines or turns text is told on one line, and cut', () => {
  const description = `Records\r\nAll is well.\u202e\u2028${'x'.repeat(500)}`;
  const { message } = gone({ ...REGISTRATION, description });
  assert.match(message, /^The registration 'Records All is well\. x{79}' \(r1\) answered 410 Gone/);
  assert.doesNotMatch(message, /[\r\n\u202e\u2028]|x{100}/);
});

test('no warning tells the URI of a registration', () => {
  const warning = gone({ ...REGISTRATION, description: null });
  assert.doesNotMatch(notificationText(warning, 0), /secret|receiver\.example/);
});

test('names of its own begin with its name in any case', () => {
  const own = ['Schoolbell.KeyExpiring', 'schoolbell.x', 'SCHOOLBELL.'];
  const others = ['Schoolbell', 'Schoolbells.X', 'CourseCompleted', '*', ''];
  assert.deepEqual(own.map(isOwnAction), [true, true, true]);
  assert.deepEqual(others.map(isOwnAction), [false, false, false, false, false]);
});
