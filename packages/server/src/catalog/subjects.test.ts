import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extractSubjects, MAX_SUBJECTS } from './subjects.ts';

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
      { Id: '2', Email: 'ana@school.example' },
      { Id: '1' },
    ],
  };
  assert.deepEqual(extractSubjects({ subjects }, notification), [
    { kind: 'learner', value: '1' },
    { kind: 'learner', value: '2' },
    { kind: 'learner', value: 'ana@school.example' },
    { kind: 'course', value: '17' },
  ]);
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
    assert.deepEqual(extractSubjects({ subjects }, notification), [], JSON.stringify(notification));
  }
});

test('reaches only members that the notification itself has', () => {
  const inherited = [{ kind: 'course', path: 'constructor.name' }] as const;
  assert.deepEqual(extractSubjects({ subjects: inherited }, {}), []);
});

test('takes no more than the limit from one notification', () => {
  const Users = Array.from({ length: 5000 }, (_, n) => ({ Id: `${n}` }));
  assert.equal(extractSubjects({ subjects }, { Users }).length, MAX_SUBJECTS);
});
