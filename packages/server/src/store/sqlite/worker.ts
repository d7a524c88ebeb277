import { parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { DatabaseSync } from 'node:sqlite';
import type { Answer, Methods, Request, WorkerError } from './protocol.ts';

/** When so many requests have come, no more are waited for before they are written. */
const MAX_GROUP = 64;

/** Answers requests one by one: for reads, which need no transaction of their own. */
export function serveReads(databases: readonly DatabaseSync[], methods: Methods): void {
  serve(databases, (group) => group.map((request) => answer(methods, request)));
}

/**
 * Answers requests in groups: everything that has come by now shares one transaction and one wait
 * for the disk. When that transaction fails, each request gets one of its own, so that only the
 * one at fault is refused. Those for `outside` come after the group, in no transaction. `onFailure`
 * is called whenever a transaction left no trace.
 */
export function serveWrites(database: DatabaseSync, methods: Methods, further: Further): void {
  const isOutside = ({ method }: Request): boolean => further.outside[method] !== undefined;
  serve([database], (group) => {
    const inside = group.filter((request) => !isOutside(request));
    const rest = group.filter(isOutside);
    return [
      ...write(database, methods, { group: inside, onFailure: further.onFailure }),
      ...rest.map((request) => answer(further.outside, request)),
    ];
  });
}

type Further = { readonly outside: Methods; readonly onFailure: () => void };

function write(
  database: DatabaseSync,
  methods: Methods,
  { group, onFailure }: { readonly group: readonly Request[]; readonly onFailure: () => void },
): Answer[] {
  if (group.length === 0) return [];
  const together = transaction(database, () => answerUntilFailure(methods, group));
  const allFine = together.ok && together.value.every((each) => each.ok);
  if (!allFine) onFailure();
  if (allFine || (together.ok && group.length === 1)) return together.value;
  return group.map((request) => {
    const answered = alone(database, methods, request);
    if (!answered.ok) onFailure();
    return answered;
  });
}

/**
 * Stops at the first failure: SQLite may have rolled back by itself (a full disk, an I/O error), and
 * what came after would be committed without its transaction.
 */
function answerUntilFailure(methods: Methods, group: readonly Request[]): Answer[] {
  const answers: Answer[] = [];
  for (const request of group) {
    const answered = answer(methods, request);
    answers.push(answered);
    if (!answered.ok) break;
  }
  return answers;
}

function alone(database: DatabaseSync, methods: Methods, request: Request): Answer {
  const result = transaction(database, () => [answer(methods, request)]);
  if (!result.ok) return { id: request.id, ok: false, error: result.error };
  return result.value[0] ?? { id: request.id, ok: false, error: toWorkerError(undefined) };
}

type Result = { ok: true; value: Answer[] } | { ok: false; error: WorkerError };

/** Commits when every answer is fine, else leaves no trace. */
function transaction(database: DatabaseSync, work: () => Answer[]): Result {
  try {
    database.exec('begin immediate');
    const value = work();
    if (value.every((each) => each.ok)) database.exec('commit');
    else if (database.isTransaction) database.exec('rollback');
    return { ok: true, value };
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    return { ok: false, error: toWorkerError(error) };
  }
}

function serve(databases: readonly DatabaseSync[], work: (group: Request[]) => Answer[]): void {
  const port = parentPort;
  if (port === null) throw new Error('this module runs in a worker thread');
  port.on('message', (first: readonly Request[]) => {
    for (let group = drain(first); group.length > 0; group = drain([])) {
      const closing = group.find((request) => request.method === 'close');
      const rest = group.filter((request) => request !== closing);
      if (rest.length > 0) port.postMessage(work(rest));
      if (closing === undefined) continue;
      for (const database of databases) database.close();
      port.postMessage([{ id: closing.id, ok: true, value: null } satisfies Answer]);
      port.close();
      return;
    }
  });
  function drain(first: readonly Request[]): Request[] {
    const group = [...first];
    while (group.length < MAX_GROUP) {
      const received = port === null ? undefined : receiveMessageOnPort(port);
      if (received === undefined) break;
      group.push(...(received.message as readonly Request[]));
    }
    return group;
  }
}

function answer(methods: Methods, { id, method, args }: Request): Answer {
  try {
    const run = methods[method];
    if (run === undefined) throw new Error(`the store has no function ${method}`);
    return { id, ok: true, value: run(...(args as never[])) };
  } catch (error) {
    return { id, ok: false, error: toWorkerError(error) };
  }
}

function toWorkerError(error: unknown): WorkerError {
  if (!(error instanceof Error)) return { message: String(error), sqliteCode: null };
  const code =
    'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : null;
  return { message: error.message, sqliteCode: code };
}
