import { NOTIFICATION_SEPARATOR } from '../core/delivery.ts';
import { ERASED, eraseAttempt } from '../core/erasing.ts';
import { type AttemptRecord, recordOf } from '../core/attempt.ts';
import type { Id } from '../core/id.ts';
import { possibleKeys } from '../core/subjects.ts';
import type { OpenDelivery, PendingChoice } from './erasure.ts';
import { integer, parse, type Row, stateCode, text } from './rows.ts';

/** A delivery of an event that is to be erased, as both drivers read it. */
export type EventDelivery = {
  readonly id: Id;
  readonly registrationId: Id;
  /** Undefined where it has ended. */
  readonly open: 'pending' | 'held' | undefined;
  readonly inHand: boolean;
  readonly picks: readonly number[] | null;
  readonly orderKeys: readonly string[] | null;
};

/** What is to be done with one event and its deliveries; all that decides is decided here, for both drivers. */
export type ErasurePlan = {
  /** What stands in the event from now on. */
  readonly payload: string;
  readonly erased: readonly number[];
  /** How many notifications that is more than before. */
  readonly notifications: number;
  /** Everything that the index or an order may have them by. */
  readonly keys: readonly string[];
  /** The deliveries that carry any of them. */
  readonly concerned: readonly EventDelivery[];
  /** Those that end, as nothing is left of what they carry. */
  readonly cancelled: readonly EventDelivery[];
  /** Those that must end, or be put down, before anything is erased. */
  readonly waiting: readonly EventDelivery[];
};

/** `own`: the notifications to erase; null for all of them. */
export function planErasure(
  event: Row,
  deliveries: readonly EventDelivery[],
  { own, pending }: { readonly own: readonly number[] | null; readonly pending: PendingChoice },
): ErasurePlan {
  const before = text(event, 'payload').split(NOTIFICATION_SEPARATOR);
  const isOwn = (index: number): boolean => own?.includes(index) ?? true;
  const after = before.map((notification, index) => (isOwn(index) ? ERASED : notification));
  const erased = [...after.keys()].filter((index) => after[index] === ERASED);
  const carried = ({ picks }: EventDelivery): readonly number[] => picks ?? [...after.keys()];
  const concerned = deliveries.filter((each) => carried(each).some(isOwn));
  const unfinished = concerned.filter(({ open }) => open !== undefined);
  const isLast = (each: EventDelivery): boolean =>
    carried(each).every((index) => erased.includes(index));
  const cancels = pending === 'cancel';
  return {
    payload: after.join(NOTIFICATION_SEPARATOR),
    erased,
    notifications: before.filter((each, index) => each !== after[index]).length,
    keys: [...new Set(before.filter((each, index) => each !== after[index]).flatMap(keysOf))],
    concerned,
    cancelled: cancels ? unfinished.filter(isLast) : [],
    waiting: unfinished.filter((each) => !cancels || (each.inHand && !isLast(each))),
  };
}

function keysOf(notification: string): string[] {
  return [...possibleKeys(notification)];
}

/** What a key's `picks` are when some notifications are gone; undefined when it has none left. */
export function picksLeft(
  picks: readonly number[] | null,
  { erased, payload }: Pick<ErasurePlan, 'erased' | 'payload'>,
): string | undefined {
  const all = picks ?? [...payload.split(NOTIFICATION_SEPARATOR).keys()];
  const left = all.filter((index) => !erased.includes(index));
  return left.length === 0 ? undefined : JSON.stringify(left);
}

/** The record of an attempt as it is kept when a learner was erased. */
export function erasedRecord(record: string): string {
  return recordOf(eraseAttempt(JSON.parse(record) as AttemptRecord));
}

export function toEventDelivery(row: Row): EventDelivery {
  const state = integer(row, 'state');
  const open = OPEN.find((each) => stateCode(each) === state);
  return {
    id: text(row, 'id'),
    registrationId: text(row, 'registration_id'),
    open,
    inHand: integer(row, 'leased') > 0,
    picks: listOrNull<number>(row, 'picks'),
    orderKeys: listOrNull<string>(row, 'order_keys'),
  };
}

export function listOrNull<T>(row: Row, column: string): readonly T[] | null {
  return row[column] === null ? null : parse<T[]>(row, column);
}

const OPEN = ['pending', 'held'] as const;

/** Those that have not ended, as the caller of an erasure learns of them. */
export function toOpen(deliveries: readonly EventDelivery[]): readonly OpenDelivery[] {
  return deliveries.flatMap(({ id, registrationId, open: state, inHand }) =>
    state === undefined ? [] : [{ id, registrationId, state, inHand }],
  );
}
