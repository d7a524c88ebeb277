import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Row, readTermData } from '../examples/demo/term.ts';

/** The columns that the demo reads, by file of the dataset. */
const COLUMNS = {
  studentRegistration: [
    'code_module',
    'code_presentation',
    'id_student',
    'date_registration',
    'date_unregistration',
  ],
  studentInfo: ['code_module', 'code_presentation', 'id_student', 'final_result'],
  courses: ['code_module', 'code_presentation', 'module_presentation_length'],
};

/** The rows of one presentation as CSV, with the named columns alone; no value in them needs quotes. */
export function extractCsv(
  rows: readonly Row[],
  presentation: string,
  columns: readonly string[],
): string {
  const wanted = rows.filter((row) => row['code_presentation'] === presentation);
  const lines = wanted.map((row) => columns.map((column) => row[column] ?? '').join(','));
  return `${[columns.join(','), ...lines].join('\n')}\n`;
}

// extract-oulad.ts <folder of the full CSV files> <presentation> <target folder>
if (import.meta.main) {
  const [source = '', presentation = '', target = ''] = process.argv.slice(2);
  const data = readTermData(source);
  mkdirSync(target, { recursive: true });
  const write = (name: keyof typeof COLUMNS, rows: readonly Row[]): void => {
    const csv = extractCsv(rows, presentation, COLUMNS[name]);
    writeFileSync(join(target, `${name}.csv.gz`), gzipSync(csv, { level: 9 }));
  };
  write('studentRegistration', data.registrations);
  write('studentInfo', data.students);
  write('courses', data.courses);
}
