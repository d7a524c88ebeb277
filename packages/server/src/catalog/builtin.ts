import type { Filter, SubjectPath } from '../core/filter.ts';
import { courseExample, learnerExample, userExample } from './examples.ts';
import { courseSchema, learnerSchema, userSchema } from './schemas.ts';

const LEARNER_SUBJECTS: readonly SubjectPath[] = [
  { kind: 'learner', path: 'Users[].Id' },
  { kind: 'learner', path: 'Users[].Email' },
  { kind: 'learner', path: 'Users[].LoginName' },
  { kind: 'course', path: 'Course.Id' },
];
const COURSE_SUBJECTS: readonly SubjectPath[] = [{ kind: 'course', path: 'Id' }];
const USER_SUBJECTS: readonly SubjectPath[] = [
  { kind: 'learner', path: 'UserId' },
  { kind: 'learner', path: 'Email' },
  { kind: 'learner', path: 'LoginName' },
];

/** Events about courses whose TimeStamp the connector does not declare as a date and time. */
const TEXT_TIMES: ReadonlySet<string> = new Set(['CourseCreated', 'CourseDeleted']);

function aboutLearner(
  name: string,
  status: readonly [number, string],
  description: string,
): Filter {
  const example = learnerExample(name, status);
  return {
    name,
    description,
    schema: learnerSchema(name),
    example,
    subjects: LEARNER_SUBJECTS,
    private: [],
  };
}

function aboutCourse(name: string, isPublished: boolean, description: string): Filter {
  const example = courseExample(name, isPublished);
  const time = TEXT_TIMES.has(name) ? 'text' : 'date-time';
  const schema = courseSchema(name, time);
  return { name, description, schema, example, subjects: COURSE_SUBJECTS, private: [] };
}

function aboutUser(name: string, isDeleted: boolean, description: string): Filter {
  const example = userExample(name, isDeleted);
  return {
    name,
    description,
    schema: userSchema(name),
    example,
    subjects: USER_SUBJECTS,
    private: [],
  };
}

/**
 * The eleven events of LMS365, with names and members as its certified connector declares them.
 * The numbers of EnrollmentStatus are not documented there; those in the examples are samples.
 */
export const BUILTIN_FILTERS: readonly Filter[] = [
  aboutLearner(
    'EnrollmentApprovalRequest',
    [1, 'Pending approval'],
    'A learner asks to be enrolled in a course whose enrolments are approved elsewhere.',
  ),
  aboutLearner(
    'CourseEnrollment',
    [2, 'Enrolled'],
    'Learners were enrolled in a course or training plan.',
  ),
  aboutLearner(
    'CourseUnenrollment',
    [0, 'Not enrolled'],
    'Learners left a course or training plan, or were taken out of it.',
  ),
  aboutLearner('CourseStarted', [2, 'Enrolled'], 'Learners began the first activity of a course.'),
  aboutLearner(
    'CourseCompleted',
    [3, 'Completed'],
    'Learners completed a course or training plan.',
  ),
  aboutCourse('CoursePublished', true, 'A course was listed in a catalogue.'),
  aboutCourse('CourseUnpublished', false, 'A course was taken out of a catalogue.'),
  aboutUser('UserCreated', false, 'An account was created or switched on.'),
  aboutUser('UserDeleted', true, 'An account was switched off or removed.'),
  aboutCourse('CourseCreated', false, 'A course was created.'),
  aboutCourse('CourseDeleted', false, 'A course was deleted.'),
];

/** Matches every action; the text is Microsoft's. */
export const WILDCARD_FILTER: Filter = {
  name: '*',
  description: 'Listen in on all events.',
  schema: null,
  example: null,
  subjects: [],
  private: [],
};
