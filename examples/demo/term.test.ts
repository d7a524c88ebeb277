import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { parseCsv, readTermData, termEvents } from './term.ts';

const data = readTermData(fileURLToPath(new URL('./data/', import.meta.url)));
const events = termEvents(data, '2013J');

test('cells are read with and without quotes, empty ones too', () => {
  assert.deepEqual(parseCsv('"a","b"\n"1",""\nx,,"say ""hi"""\n'), [
    ['a', 'b'],
    ['1', ''],
    ['x', '', 'say "hi"'],
  ]);
});

test('the term has as many enrolments, withdrawals and completions as the dataset', () => {
  const count = (action: string): number =>
    events.filter((event) => event.action === action).length;
  assert.equal(count('CourseEnrollment'), 8845);
  assert.equal(count('CourseUnenrollment'), 2376);
  assert.equal(count('CourseCompleted'), 4475);
});

test('events come in order of date, and nobody leaves before joining', () => {
  for (const [index, event] of events.entries())
    assert.ok(event.day >= (events[index - 1]?.day ?? -Infinity));
  const joined = new Map<unknown, number>();
  for (const { action, day, notification } of events) {
    const enrolment = JSON.stringify(notification['Users']);
    if (action === 'CourseEnrollment') joined.set(enrolment, day);
    else assert.ok(day >= (joined.get(enrolment) ?? Infinity));
  }
});

test('a notification has the shape of LMS365', () => {
  const [first] = events;
  assert.deepEqual(Object.keys(first?.notification ?? {}), [
    'Action',
    'EnrollmentStatus',
    'EnrollmentStatusText',
    'TimeStamp',
    'Course',
    'Users',
  ]);
  assert.match(String(first?.notification['TimeStamp']), /^2013-/);
});

test('a folder without the dataset is named', () => {
  assert.throws(() => readTermData('/nowhere'), {
    message:
      "There is no studentRegistration.csv or studentRegistration.csv.gz in the folder '/nowhere'.",
  });
});
