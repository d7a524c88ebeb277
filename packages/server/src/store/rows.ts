import type { Attempt } from '../core/attempt.ts';
import { DELIVERY_STATES, type DeliveryState, NOTIFICATION_SEPARATOR } from '../core/delivery.ts';
import { idTime } from '../core/id.ts';
import { BEHIND, type DeliveryRow, type EventRow, type LastOutcome } from './port.ts';

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

/** The notification texts a delivery carries. */
export function pickNotifications(row: Row): readonly string[] {
  return pick(text(row, 'payload').split(NOTIFICATION_SEPARATOR), row);
}

export function toDeliveryRow(row: Row): DeliveryRow {
  const id = text(row, 'id');
  const isBehind = row['leased'] === -1;
  return {
    id,
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    registrationId: text(row, 'registration_id'),
    state: DELIVERY_STATES[integer(row, 'state')] ?? 'pending',
    reason: isBehind ? BEHIND : textOrNull(row, 'reason'),
    attempts: integer(row, 'attempts'),
    createdAt: idTime(id),
    dueAt: isBehind ? null : integerOrNull(row, 'due_at'),
    endedAt: integerOrNull(row, 'ended_at'),
    actions: pick(parse<string[]>(row, 'actions'), row),
    picks: row['picks'] === null ? null : parse<number[]>(row, 'picks'),
    outcome: row['class'] === null ? null : toLastOutcome(row),
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

export function toEventRow(row: Row): EventRow {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    acceptedAt: integer(row, 'accepted_at'),
    occurredAt: integerOrNull(row, 'occurred_at'),
    actions: parse<string[]>(row, 'actions'),
    notifications: text(row, 'payload').split(NOTIFICATION_SEPARATOR),
  };
}

export function toAttempt(row: Row): Attempt {
  return {
    deliveryId: text(row, 'delivery_id'),
    number: integer(row, 'number'),
    startedAt: integer(row, 'started_at'),
    durationMs: integer(row, 'duration_ms'),
    ...parse<Pick<Attempt, 'outcome' | 'requestHeaders' | 'signedBy'>>(row, 'record'),
  };
}

/** JSON that this driver wrote itself. */
export function parse<T>(row: Row, column: string): T {
  return JSON.parse(text(row, column)) as T;
}

function pick(all: readonly string[], row: Row): readonly string[] {
  if (row['picks'] === null) return all;
  return parse<number[]>(row, 'picks').map((index) => all[index] ?? '');
}
