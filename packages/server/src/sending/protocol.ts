import type { AttemptRecord, MadeAttempt } from '../core/attempt.ts';
import type { Id } from '../core/id.ts';
import { judge, type Outcome } from '../core/outcome.ts';
import type { Registration } from '../core/registration.ts';
import type { BlockedRequest } from '../egress/client.ts';
import type { Outgoing } from './attempt.ts';

/** An address and port that this process listens on. */
export type Listener = { readonly address: string; readonly port: number };

/** What a sending thread is told. `handle`: a number that stands for a registration from now on. */
export type Order =
  | { readonly kind: 'send'; readonly rows: Flat }
  | { readonly kind: 'know'; readonly handle: number; readonly registration: Registration }
  /** No handle stands for anything any more. */
  | { readonly kind: 'unknow' }
  | { readonly kind: 'forget'; readonly registrationKey: string; readonly handle: number | null }
  | { readonly kind: 'listeners'; readonly listeners: readonly Listener[] }
  | { readonly kind: 'close' };

/** What it tells. */
export type News =
  | { readonly kind: 'made'; readonly rows: Flat }
  | { readonly kind: 'blocked'; readonly blocked: BlockedRequest }
  | { readonly kind: 'closed' };

/** Rows one after another: far cheaper to hand over than objects. */
export type Flat = readonly (string | number | null)[];

/** One attempt to be made, by the ticket that its end is told with. */
export type Task = {
  readonly ticket: number;
  readonly handle: number;
  readonly delivery: Outgoing;
};

export function pushTask(rows: Flat[number][], { ticket, handle, delivery }: Task): void {
  const { id, sequence, attempts, replayOf = null, trace = null, notifications } = delivery;
  rows.push(ticket, handle, id, sequence, attempts, replayOf, trace, notifications.length);
  for (const notification of notifications) rows.push(notification);
}

export function readTasks(rows: Flat): Task[] {
  const tasks: Task[] = [];
  for (let at = 0; at < rows.length;) {
    const [ticket, handle, id, sequence, attempts, replayOf, trace, count] = rows.slice(at, at + 8);
    const from = at + 8;
    at = from + Number(count);
    const delivery = {
      id: String(id),
      sequence: sequence as number | null,
      attempts: Number(attempts),
      notifications: rows.slice(from, at) as string[],
      ...(replayOf === null ? {} : { replayOf: replayOf as Id }),
      ...(trace === null ? {} : { trace: trace as string }),
    };
    tasks.push({ ticket: Number(ticket), handle: Number(handle), delivery });
  }
  return tasks;
}

/** Ticket, status or 0, started at, duration, record. */
export const MADE_WIDTH = 5;

/** What was plainly taken is told by its status; of everything else the record says what it came to. */
export function pushMade(rows: Flat[number][], ticket: number, made: MadeAttempt): void {
  const { startedAt, durationMs, record } = made;
  rows.push(ticket, statusOf(made.outcome), startedAt, durationMs, record);
}

function statusOf(outcome: Outcome): number {
  if (outcome.kind !== 'response' || outcome.certificateEndsAt !== undefined) return 0;
  return judge(outcome) === 'delivered' ? outcome.status : 0;
}

/** What the row at `at` of a batch says it came to. */
export function outcomeAt(rows: Flat, at: number): Outcome {
  const status = Number(rows[at + 1]);
  if (status !== 0) return { kind: 'response', status, response: NOT_TOLD };
  return (JSON.parse(String(rows[at + 4])) as AttemptRecord).outcome;
}

const NOT_TOLD = { headers: [], body: '', truncated: false };
