import { idAt } from '../core/id.ts';
import type { Job } from '../core/job.ts';
import { listOrNull } from './erasing.ts';
import type { HeldPage } from './held.ts';
import type { Candidate, Candidates } from './jobs.ts';
import {
  notificationsOf,
  parse,
  pickCarried,
  picked,
  type Row,
  text,
  textOrNull,
  withErased,
} from './rows.ts';

const LOOKED_AT = 2000;

/** Rows that one look goes through at most: no more than are wanted, where each will do. */
export function rowsToLookAt({ kind, selection }: Job, wanted: number): number {
  const { states, filters, subject, deliveries } = selection;
  const isAny = [states, filters, subject, deliveries].every((value) => value === null);
  return isAny && kind === 'replay' ? Math.min(LOOKED_AT, wanted) : LOOKED_AT;
}

/** Characters of payload after which a look ends. */
export const MAX_TEXT = 1024 * 1024;

/** Held deliveries that are read at once. */
export const HELD_AT_ONCE = 500;

/** `looked`: how many ids were read; the page ended early where there are fewer rows. */
export function toHeldPage(rows: readonly Row[], looked: number): HeldPage {
  const items = rows.map((row) => ({
    id: text(row, 'id'),
    ...pickCarried(row),
  }));
  const isWhole = rows.length === looked && looked < HELD_AT_ONCE;
  return { items, next: isWhole ? null : (items.at(-1)?.id ?? null) };
}

/** Below everything that is still to be looked at. */
export function afterOf({ cursor, selection }: Job): string {
  return cursor ?? idAt(selection.from ?? 0);
}

/** Above it. What is made after the job is not a part of it, its own deliveries above all. */
export function endOf({ id, selection }: Job): string {
  const to = selection.to === null ? id : idAt(selection.to);
  return to < id ? to : id;
}

/** What a look found, the last id that it looked at, and whether there is nothing behind that. */
export type Look = {
  readonly rows: readonly Row[];
  readonly reached: string | null;
  readonly isWhole: boolean;
};

/** What a look gives a job. */
export function candidatesOf({ selection }: Job, { rows, reached, isWhole }: Look): Candidates {
  const { filters } = selection;
  const items = rows
    .map(toCandidate)
    .filter(
      ({ actions, picks }) =>
        picks?.length !== 0 &&
        (filters === null ||
          picked(actions, picks).some((action) => filters.includes(action.toLowerCase()))),
    );
  return { items, next: isWhole ? null : reached };
}

function toCandidate(row: Row): Candidate {
  const actions = parse<string[]>(row, 'actions');
  const [picks, erased] = [listOrNull<number>(row, 'picks'), listOrNull<number>(row, 'erased')];
  const left = (picks ?? [...actions.keys()]).filter((pick) => erased?.includes(pick) !== true);
  return {
    id: text(row, 'id'),
    eventId: text(row, 'event_id'),
    replayOf: textOrNull(row, 'replay_of'),
    picks: erased === null ? picks : left,
    actions,
    notifications: row['payload'] === null ? [] : withErased(notificationsOf(row), actions),
  };
}
