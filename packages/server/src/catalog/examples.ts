const COURSE = {
  SiteId: '0c5d1f0a-6f0e-4b39-9d4b-6a3f2f1f7c11',
  WebId: '7a2b9c64-2f57-4f0c-8d0e-51b2a8e7d9aa',
  Id: '5f1c2d7e-94b3-4c1a-8f2e-3d7b6a905c14',
  Title: 'First Aid at School',
  Url: 'https://learn.northfield.example/courses/first-aid-at-school',
  CourseType: 'ELearning',
  Published: true,
};

const LEARNER = {
  Id: '4821',
  DirectoryObjectId: 'b1f7a6d2-0c83-4e5d-9a47-2e6c8d31f590',
  EnrollmentId: '90311',
  LoginName: 'ana.lindqvist@northfield.example',
  Title: 'Ana Lindqvist',
  Department: 'Year 9 Teachers',
  Email: 'ana.lindqvist@northfield.example',
};

const TIME = '2026-09-01T08:15:30Z';

/** An example of an event about a learner and a course. */
export function learnerExample(
  action: string,
  status: readonly [number: number, text: string],
): object {
  return {
    Action: action,
    EnrollmentStatus: status[0],
    EnrollmentStatusText: status[1],
    TimeStamp: TIME,
    Course: COURSE,
    Users: [LEARNER],
  };
}

/** An example of an event about a course. */
export function courseExample(action: string, isPublished: boolean): object {
  return { Action: action, ...COURSE, Published: isPublished, TimeStamp: TIME };
}

/** An example of an event about a person's account. */
export function userExample(action: string, isDeleted: boolean): object {
  return {
    Action: action,
    UserId: LEARNER.Id,
    LoginName: LEARNER.LoginName,
    Email: LEARNER.Email,
    Title: LEARNER.Title,
    DirectoryObjectId: LEARNER.DirectoryObjectId,
    IsDeleted: isDeleted,
    UserFieldValues: [{ FieldId: '12', FieldTitle: 'Campus', Value: 'North' }],
    TimeStamp: TIME,
  };
}
