import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Something that happened in the term, in LMS365's payload shape. */
export type TermEvent = {
  readonly day: number;
  readonly action: 'CourseEnrollment' | 'CourseUnenrollment' | 'CourseCompleted';
  readonly notification: { readonly Action: string; readonly [member: string]: unknown };
};

export type Row = Readonly<Record<string, string>>;

export type TermData = {
  readonly registrations: readonly Row[];
  readonly students: readonly Row[];
  readonly courses: readonly Row[];
};

const DAY_MS = 86_400_000;

/** Reads `studentRegistration`, `studentInfo` and `courses` from a folder, as `.csv` or `.csv.gz`. */
export function readTermData(folder: string): TermData {
  return {
    registrations: readTable(folder, 'studentRegistration'),
    students: readTable(folder, 'studentInfo'),
    courses: readTable(folder, 'courses'),
  };
}

function readTable(folder: string, name: string): Row[] {
  const [header = [], ...rows] = parseCsv(readText(folder, name));
  return rows.map((row) =>
    Object.fromEntries(header.map((column, index) => [column, row[index] ?? ''])),
  );
}

function readText(folder: string, name: string): string {
  const plain = join(folder, `${name}.csv`);
  const packed = `${plain}.gz`;
  if (existsSync(packed)) return gunzipSync(readFileSync(packed)).toString('utf8');
  if (existsSync(plain)) return readFileSync(plain, 'utf8');
  throw new Error(`There is no ${name}.csv or ${name}.csv.gz in the folder '${folder}'.`);
}

/** Rows of cells; the dataset quotes cells and has no line ends inside them. */
export function parseCsv(text: string): string[][] {
  const lines = text.split(/\r?\n/).filter((line) => line !== '');
  return lines.map((line) =>
    [...line.matchAll(/"((?:[^"]|"")*)"(?:,|$)|([^,]*)(?:,|$)/g)]
      .slice(0, line.endsWith(',') ? undefined : -1)
      .map((cell) => (cell[1] === undefined ? (cell[2] ?? '') : cell[1].replaceAll('""', '"'))),
  );
}

/**
 * A term as a learning platform would tell it, in order of date: each registration is an
 * enrolment, each withdrawal an unenrolment, each pass or distinction a completion on the last day.
 */
export function termEvents(data: TermData, presentation: string): readonly TermEvent[] {
  const results = new Map(data.students.map((row) => [keyOf(row), row['final_result'] ?? '']));
  const lengths = new Map(
    data.courses.map((row) => [
      row['code_module'] + (row['code_presentation'] ?? ''),
      Number(row['module_presentation_length']),
    ]),
  );
  const events: TermEvent[] = [];
  for (const row of data.registrations) {
    if (row['code_presentation'] !== presentation) continue;
    const last = lengths.get((row['code_module'] ?? '') + presentation) ?? 0;
    const joined = row['date_registration'] === '' ? 0 : Number(row['date_registration']);
    events.push(eventOf(row, 'CourseEnrollment', joined));
    if (row['date_unregistration'] !== '') {
      events.push(
        eventOf(row, 'CourseUnenrollment', Math.max(joined, Number(row['date_unregistration']))),
      );
    }
    if (['Pass', 'Distinction'].includes(results.get(keyOf(row)) ?? ''))
      events.push(eventOf(row, 'CourseCompleted', last));
  }
  return events.toSorted((a, b) => a.day - b.day);
}

function keyOf(row: Row): string {
  return `${row['code_module']} ${row['code_presentation']} ${row['id_student']}`;
}

const STATUS = {
  CourseEnrollment: 'Enrolled',
  CourseUnenrollment: 'Not enrolled',
  CourseCompleted: 'Completed',
};

function eventOf(row: Row, action: TermEvent['action'], day: number): TermEvent {
  const {
    code_module: code = '',
    code_presentation: presentation = '',
    id_student: student = '',
  } = row;
  const notification = {
    Action: action,
    EnrollmentStatus: Object.keys(STATUS).indexOf(action),
    EnrollmentStatusText: STATUS[action],
    TimeStamp: new Date(startOf(presentation) + day * DAY_MS).toISOString(),
    Course: {
      Id: `${code}-${presentation}`,
      Title: `Module ${code}, presentation ${presentation}`,
      Url: `https://learn.example.org/courses/${code}-${presentation}`,
      CourseType: 'ELearning',
      Published: true,
    },
    Users: [
      {
        Id: student,
        EnrollmentId: `${code}-${presentation}-${student}`,
        LoginName: `student${student}@example.org`,
        Title: `Student ${student}`,
        Email: `student${student}@example.org`,
      },
    ],
  };
  return { day, action, notification };
}

/** The dataset counts days from the start of a presentation: B began in February, J in October. */
function startOf(presentation: string): number {
  const month = presentation.endsWith('B') ? 1 : 9;
  return Date.UTC(Number(presentation.slice(0, 4)), month, 1);
}
