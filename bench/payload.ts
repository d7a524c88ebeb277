/** A notification of ordinary size in LMS365's shape; `T` is the time it was published at. */
export function notificationOf(n: number, at?: number): string {
  const time = at === undefined ? '' : `"T":${at.toFixed(3)},`;
  return `{"Action":"CourseCompleted",${time}"EnrollmentStatus":3,"EnrollmentStatusText":"Completed","TimeStamp":"2026-09-01T08:15:30Z","Course":{"SiteId":"0c5d1f0a-6f0e-4b39-9d4b-6a3f2f1f7c11","WebId":"7a2b9c64-2f57-4f0c-8d0e-51b2a8e7d9aa","Id":"5f1c2d7e-94b3-4c1a-8f2e-3d7b6a905c14","Title":"First Aid at School","Url":"https://learn.northfield.example/courses/first-aid-at-school","CourseType":"ELearning","Published":true},"Users":[{"Id":"${n}","DirectoryObjectId":"b1f7a6d2-0c83-4e5d-9a47-2e6c8d31f590","EnrollmentId":"9${n}","LoginName":"ana.lindqvist@northfield.example","Title":"Ana Lindqvist","Department":"Year 9 Teachers","Email":"ana.lindqvist@northfield.example"}]}`;
}
