import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventKeys, MAX_SUBJECTS, subjectKey, subjectKeysIn } from './subjects.ts';

const subjects = [
  { kind: 'learner', path: 'Users[].Id' },
  { kind: 'learner', path: 'Users[].Email' },
  { kind: 'course', path: 'Course.Id' },
] as const;

test('finds the subjects of every item, each once', () => {
  const notification = {
    Course: { Id: 17 },
    Users: [
      { Id: '1', Email: 'ana@school.example' },
      { Id: '2', Email: 'Ana@School.example' },
      { Id: '1' },
    ],
  };
  assert.deepEqual(
    [...subjectKeysIn(subjects, notification)],
    ['learner 1', 'learner 2', 'learner ana@school.example', 'course 17'],
  );
});

test('leaves out what is missing, empty, too long or of another type', () => {
  const odd = [
    null,
    'text',
    7,
    [],
    {},
    { Users: null },
    { Users: { Id: '1' } },
    { Users: [null, [], 'x', { Id: null }, { Id: '' }, { Id: {} }, { Id: true }] },
    { Course: { Id: 1.5 } },
    { Course: { Id: 2 ** 53 } },
    { Course: { Id: 'x'.repeat(321) } },
    { Course: [{ Id: '1' }] },
  ];
  for (const notification of odd) {
    assert.equal(subjectKeysIn(subjects, notification).size, 0, JSON.stringify(notification));
  }
});

test('reaches only members that the notification itself has', () => {
  const inherited = [{ kind: 'course', path: 'constructor.name' }] as const;
  assert.equal(subjectKeysIn(inherited, {}).size, 0);
});

test('takes no more than the limit from one notification', () => {
  const Users = Array.from({ length: 5000 }, (_, n) => ({ Id: `${n}` }));
  assert.equal(subjectKeysIn(subjects, { Users }).size, MAX_SUBJECTS);
});

test('addresses and login names are the same in any case, ids are not', () => {
  const key = (value: string): string => subjectKey({ kind: 'learner', value });
  assert.equal(key('Ana@School.Example'), key('ana@school.example'));
  assert.equal(key('NORTH\\ana'), key('north\\Ana'));
  assert.equal(key('A\u030asa@school.example'), key('\u00e5sa@school.example'));
  assert.notEqual(key('aB3'), key('Ab3'));
  assert.notEqual(key('17'), subjectKey({ kind: 'course', value: '17' }));
});

test('an event is found by the actions and subjects of its notifications, and by which of them', () => {
  const paths = { enrolled: subjects };
  const texts = [
    '{"Action":"Enrolled","Course":{"Id":"c"},"Users":[{"Id":"1"}]}',
    '{"Action":"ENROLLED","Course":{"Id":"c"},"Users":[{"Id":"2"},{"Id":"1"}]}',
    '{"Action":"Other","Users":[{"Id":"3"}]}',
  ];
  assert.deepEqual(eventKeys(paths, ['Enrolled', 'ENROLLED', 'Other'], texts), [
    ['action enrolled', [0, 1]],
    ['learner 1', [0, 1]],
    ['course c', [0, 1]],
    ['learner 2', [1]],
    ['action other', [2]],
  ]);
  assert.deepEqual(eventKeys(paths, ['Enrolled'], texts.slice(0, 1)).at(-1), ['course c', null]);
  assert.deepEqual(eventKeys({}, ['constructor'], ['{}']), [['action constructor', null]]);
});
