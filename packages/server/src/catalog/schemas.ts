/** A JSON Schema of an object: every member described, none of them closed to additions. */
export type ObjectSchema = {
  readonly $schema?: string;
  readonly title?: string;
  readonly type: 'object';
  readonly description?: string;
  readonly properties: Readonly<Record<string, object>>;
  readonly required: readonly string[];
};

export const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

const text = (description: string): object => ({ type: 'string', description });
const instant = (description: string): object => ({
  type: 'string',
  format: 'date-time',
  description,
});
const flag = (description: string): object => ({ type: 'boolean', description });

const COURSE_MEMBERS = {
  SiteId: text('Id of the site that holds the course catalogue.'),
  WebId: text('Id of the catalogue within its site.'),
  Id: text('Id of the course or training plan.'),
  Title: text('Title of the course or training plan.'),
  Url: text('Where learners open the course.'),
  CourseType: text('Kind of training: ELearning, ClassRoom, Webinar or TrainingPlan.'),
  Published: flag('True when the course is listed in its catalogue.'),
};

const LEARNER: ObjectSchema = {
  type: 'object',
  properties: {
    Id: text('Id of the learner in the learning platform.'),
    DirectoryObjectId: text('Object id of the learner in the directory.'),
    EnrollmentId: text(
      'Id of this learner’s enrolment: what approvals and cancellations refer to.',
    ),
    LoginName: text('Login name.'),
    Title: text('Display name.'),
    Department: text('Department.'),
    Email: text('E-mail address.'),
  },
  required: ['Id', 'EnrollmentId', 'LoginName', 'Title', 'Email'],
};

/** Of events about learners and one course; a bulk enrolment is one notification with many users. */
export function learnerSchema(action: string): ObjectSchema {
  return flatSchema(action, {
    EnrollmentStatus: {
      type: 'integer',
      format: 'int32',
      description: 'Status of the enrolment as a number.',
    },
    EnrollmentStatusText: text('Status of the enrolment in words.'),
    TimeStamp: instant('When it happened.'),
    Course: {
      type: 'object',
      description: 'The course or training plan.',
      properties: COURSE_MEMBERS,
      required: ['Id', 'Title', 'CourseType'],
    },
    Users: {
      type: 'array',
      description: 'The learners it happened to.',
      items: LEARNER,
      minItems: 1,
    },
  });
}

/**
 * Of events about a course: its members lie flat beside the action. The connector declares the time
 * of some of them as any text.
 */
export function courseSchema(action: string, time: 'date-time' | 'text'): ObjectSchema {
  const describe = time === 'date-time' ? instant : text;
  return flatSchema(action, {
    ...COURSE_MEMBERS,
    TimeStamp: describe('When it happened.'),
  });
}

/** Of events about a person's account. */
export function userSchema(action: string): ObjectSchema {
  const fieldValue = {
    type: 'object',
    properties: {
      FieldId: text('Id of the custom field.'),
      FieldTitle: text('Title of the custom field.'),
      Value: text('Value of the custom field.'),
    },
  };
  return flatSchema(action, {
    UserId: text('Id of the user in the learning platform.'),
    LoginName: text('Login name.'),
    Email: text('E-mail address.'),
    Title: text('Display name.'),
    DirectoryObjectId: text('Object id of the user in the directory.'),
    IsDeleted: flag('True when the account was switched off or removed.'),
    UserFieldValues: { type: 'array', description: 'Values of custom fields.', items: fieldValue },
    TimeStamp: text('When it happened.'),
  });
}

/** Of one whose members lie beside its action. */
export function flatSchema(
  action: string,
  members: Readonly<Record<string, object>>,
): ObjectSchema {
  return {
    $schema: DIALECT,
    title: action,
    type: 'object',
    properties: { Action: { const: action, description: 'Name of the event.' }, ...members },
    required: ['Action', ...Object.keys(members).filter((name) => !OPTIONAL.has(name))],
  };
}

const OPTIONAL: ReadonlySet<string> = new Set([
  'SiteId',
  'WebId',
  'Url',
  'UserFieldValues',
  'DirectoryObjectId',
]);
