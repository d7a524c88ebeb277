import { type Counts, emptyCounts, type StatisticsRow } from '../core/statistics.ts';
import { integer, parse, type Row, text } from './rows.ts';

export function toStatisticsRow(row: Row): StatisticsRow {
  return {
    tenant: text(row, 'tenant'),
    registrationId: text(row, 'registration_id'),
    action: text(row, 'action'),
    start: integer(row, 'start'),
    stepMs: integer(row, 'step_ms'),
    counts: { ...emptyCounts(), ...parse<Partial<Counts>>(row, 'counts') },
  };
}

/** Most sums are small: what is nothing is not written. */
export function countsText(counts: Counts): string {
  const members = Object.entries(counts).filter(([, value]) =>
    typeof value === 'number' ? value > 0 : Object.keys(value).length > 0,
  );
  return JSON.stringify(Object.fromEntries(members));
}
