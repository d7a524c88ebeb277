import type { Attempt, AttemptRecord } from '../core/attempt.ts';
import {
  type Delivery,
  DELIVERY_STATES,
  type DeliveryState,
  NOTIFICATION_SEPARATOR,
} from '../core/delivery.ts';
import { ERASED, erasedNotification } from '../core/erasing.ts';
import { idTime } from '../core/id.ts';
import type { Job, JobState } from '../core/job.ts';
import { BEHIND, type DeliveryRow, type EventRow, type FeedRow, type LastOutcome } from './port.ts';

/** What a database gives for a row. */
export type Row = Readonly<Record<string, unknown>>;

/** The number a state is stored as. */
export function stateCode(state: DeliveryState): number {
  return DELIVERY_STATES.indexOf(state);
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`${column} is not text`);
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`${column} is not an integer`);
  return value;
}

export function integerOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : integer(row, column);
}

export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

/** The notification texts a delivery carries, those that were erased left out. */
export function pickNotifications(row: Row): readonly string[] {
  return pick(notificationsOf(row), row).filter((notification) => notification !== ERASED);
}

/** The actions of what a delivery carries. */
export function pickActions(row: Row): readonly string[] {
  return pick(parse<string[]>(row, 'actions'), row);
}

/** What a delivery carries, with the actions: what was erased left out of both. */
export function pickCarried(row: Row): {
  readonly actions: readonly string[];
  readonly notifications: readonly string[];
} {
  const actions = pickActions(row);
  const notifications = pick(notificationsOf(row), row);
  const isKept = (index: number): boolean => notifications[index] !== ERASED;
  return {
    actions: actions.filter((_action, index) => isKept(index)),
    notifications: notifications.filter((_notification, index) => isKept(index)),
  };
}

/** The notification texts of an event. */
export function notificationsOf(row: Row): readonly string[] {
  return text(row, 'payload').split(NOTIFICATION_SEPARATOR);
}

/** Of an event's notifications, or their actions, those that a delivery carries. */
export function picked(all: readonly string[], picks: readonly number[] | null): readonly string[] {
  return picks === null ? all : picks.map((index) => all[index] ?? '');
}

/** Where its event belongs in a trace, if it does. */
export function tracedBy(row: Row): Pick<Delivery, 'trace'> {
  const trace = textOrNull(row, 'trace');
  return trace === null ? {} : { trace };
}

/** Those that were erased as they are shown. */
export function withErased(
  notifications: readonly string[],
  actions: readonly string[],
): readonly string[] {
  return notifications.map((notification, index) =>
    notification === ERASED ? erasedNotification(actions[index] ?? '') : notification,
  );
}

export function toDeliveryRow(row: Row): DeliveryRow {
  const id = text(row, 'id');
  const isBehind = row['behind'] === true || row['behind'] === 1;
  const picks = row['picks'] === null ? null : parse<number[]>(row, 'picks');
  return {
    id,
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    registrationId: text(row, 'registration_id'),
    state: DELIVERY_STATES[integer(row, 'state')] ?? 'pending',
    reason: isBehind ? BEHIND : textOrNull(row, 'reason'),
    sequence: integerOrNull(row, 'sequence'),
    attempts: integer(row, 'attempts'),
    createdAt: idTime(id),
    dueAt: isBehind ? null : integerOrNull(row, 'due_at'),
    endedAt: integerOrNull(row, 'ended_at'),
    actions: pickActions(row),
    picks,
    erased: erasedOf(row).filter((index) => picks?.includes(index) ?? true).length,
    outcome: row['class'] === null ? null : toLastOutcome(row),
    jobId: textOrNull(row, 'job_id'),
    replayOf: textOrNull(row, 'replay_of'),
  };
}

function toLastOutcome(row: Row): LastOutcome {
  const [kind, status] = [text(row, 'class'), integerOrNull(row, 'status')];
  return {
    class: kind,
    status,
    sentence: textOrNull(row, 'sentence') ?? plainSentence(kind, status),
  };
}

/** What is left to say where there is no room for more sentences. */
export function plainSentence(kind: string, status: number | null): string {
  return status === null ? kind : `The receiver answered ${status}.`;
}

export function toFeedRow(row: Row): FeedRow {
  const id = text(row, 'id');
  return {
    sequence: integer(row, 'sequence'),
    id,
    eventId: text(row, 'event_id'),
    state: DELIVERY_STATES[integer(row, 'state')] ?? 'pending',
    createdAt: idTime(id),
    endedAt: integerOrNull(row, 'ended_at'),
    ...pickCarried(row),
  };
}

export function toEventRow(row: Row): EventRow {
  const actions = parse<string[]>(row, 'actions');
  const notifications = notificationsOf(row);
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    acceptedAt: integer(row, 'accepted_at'),
    occurredAt: integerOrNull(row, 'occurred_at'),
    actions,
    notifications: withErased(notifications, actions),
    erased: erasedOf(row),
  };
}

function erasedOf(row: Row): readonly number[] {
  return row['erased'] === null ? [] : parse<number[]>(row, 'erased');
}

export function toAttempt(row: Row): Attempt {
  return {
    deliveryId: text(row, 'delivery_id'),
    number: integer(row, 'number'),
    startedAt: integer(row, 'started_at'),
    durationMs: integer(row, 'duration_ms'),
    ...parse<AttemptRecord>(row, 'record'),
  };
}

/** What does not change about a job, as one document. */
export function jobDocument({ kind, selection, rate, createdAt, total }: Job): string {
  const { subject: _subject, ...rest } = selection;
  return JSON.stringify({ kind, selection: rest, rate, createdAt, total });
}

export function toJob(row: Row): Job {
  type Document = Pick<Job, 'kind' | 'rate' | 'createdAt' | 'total' | 'selection'>;
  const { selection, ...rest } = parse<Document>(row, 'document');
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    registrationId: text(row, 'registration_id'),
    ...rest,
    selection: { ...selection, subject: textOrNull(row, 'subject') },
    state: text(row, 'state') as JobState,
    reason: textOrNull(row, 'reason'),
    endedAt: integerOrNull(row, 'ended_at'),
    done: integer(row, 'done'),
    cursor: textOrNull(row, 'cursor'),
  };
}

/** A claimed delivery's `replayOf`, where it has one. */
export function replayOf(row: Row): { readonly replayOf?: string } {
  return row['replay_of'] === null ? {} : { replayOf: text(row, 'replay_of') };
}

/** JSON that this driver wrote itself. */
export function parse<T>(row: Row, column: string): T {
  return JSON.parse(text(row, column)) as T;
}

function pick(all: readonly string[], row: Row): readonly string[] {
  return picked(all, row['picks'] === null ? null : parse<number[]>(row, 'picks'));
}
