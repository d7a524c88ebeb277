import { extname } from 'node:path';
import {
  type Acceptance,
  type Count,
  COUNT_LIMIT,
  type DeliveryQuery,
  type EventQuery,
  type JobStore,
  type LaneRoom,
  type LogQuery,
  type Move,
  type Publication,
  type PruningStore,
  type Settlement,
  type Store,
  type Unfinished,
} from '../port.ts';
import type { AuditEntry } from '../../core/audit.ts';
import { AppError } from '../../core/errors.ts';
import { explain } from '../../core/explain.ts';
import type { Id } from '../../core/id.ts';
import type { SubjectPaths } from '../../core/subjects.ts';
import { aloneCalls } from '../alone.ts';
import type { StatisticsStore } from '../statistics-port.ts';
import { Channel } from './channel.ts';
import { type Flat, INDEXED_WIDTH, type Slice, type Value } from './protocol.ts';
import { stateCode } from '../rows.ts';
import type { UnfinishedSlice } from './read-unfinished.ts';
import type { FlatPublication } from './write-accept.ts';

/** Opens the embedded store in a file, which is made where absent. Throws with a sentence when it cannot be used. */
export async function openSqliteStore({ path }: { readonly path: string }): Promise<Store> {
  const writer = new Channel(threadOf('writer'), { path });
  await writer.call('ready').catch(refuse);
  const reader = new Channel(threadOf('reader'), { path });
  const checkpointer = new Channel(threadOf('checkpointer'), { path });
  return createStore(writer, reader, checkpointer);
}

/** What keeps a store from being opened is for its operator to solve. */
function refuse(cause: unknown): never {
  const message = cause instanceof Error ? cause.message : String(cause);
  throw new AppError('unavailable', message, { cause });
}

/** A module beside this one: TypeScript in a checkout, JavaScript as published. */
function threadOf(name: 'writer' | 'reader' | 'checkpointer'): URL {
  return new URL(`./${name}${extname(import.meta.url)}`, import.meta.url);
}

function createStore(writer: Channel, reader: Channel, checkpointer: Channel): Store {
  return {
    queuesWrites: true,
    accept: (batch: readonly Publication[]) =>
      writer.call<readonly Acceptance[]>('accept', batch.map(flattenPublication)),
    earlier: ({ tenant, key, hash }) => reader.call('earlier', tenant, key, hash),
    settle: (batch: readonly Settlement[]) =>
      writer.call('settle', flattenSettlements(batch), orderedOf(batch)),
    claim: (lanes: readonly LaneRoom[], now: number) => writer.call('claim', lanes, now),
    release: (deliveries) => writer.call('release', deliveries),
    recover: () => writer.call('recover'),
    waiting: () => writer.call('waiting'),
    ...aloneCalls(),
    streaks: () => writer.call('streaks'),
    putStreaks: (changes) => writer.call('putStreaks', changes),
    move: (move: Move) => writer.call('move', move),
    unorder: (tenant, registrationId, limit) =>
      writer.call('unorder', tenant, registrationId, limit),
    retry: (tenant, id, now, note) => noted(writer, note, 'retry', tenant, id, now),
    cancel: (tenant, id, now, note) => noted(writer, note, 'cancel', tenant, id, now),

    registrations: () => writer.call('registrations'),
    insertRegistration: (registration, note) =>
      noted(writer, note, 'insertRegistration', registration),
    updateRegistration: (registration, note) =>
      noted(writer, note, 'updateRegistration', registration),
    deleteRegistration: (tenant, id, note) => noted(writer, note, 'deleteRegistration', tenant, id),

    filters: () => writer.call('filters'),
    putFilter: (filter, note) => noted(writer, note, 'putFilter', filter),
    deleteFilter: (name, note) => noted(writer, note, 'deleteFilter', name),

    tenants: () => writer.call('tenants'),
    insertTenant: (tenant, note) => noted(writer, note, 'insertTenant', tenant),
    updateTenant: (tenant, note) => noted(writer, note, 'updateTenant', tenant),
    deleteTenant: (id, note) => deleteTenant(writer, id, note),

    keys: () => writer.call('keys'),
    insertKey: (key, note) => noted(writer, note, 'insertKey', key),
    deleteKey: (tenant, id, note) => noted(writer, note, 'deleteKey', tenant, id),

    ...jobCalls(writer, reader),
    held: (ref, before) => reader.call('held', ref, before),
    cancelHeld: (ref, cancellation) => writer.call('cancelHeld', ref, cancellation),

    note: (entry) => writer.call('note', entry),
    audit: (query) => reader.call('audit', query),
    pruneAudit: (before, limit) => writer.call('pruneAudit', before, limit),

    ...logCalls(reader, writer),
    ...statisticsCalls(reader, writer),
    ...erasureCalls(writer, reader),

    ...pruningCalls(writer),
    setting: (name) => writer.call('setting', name),
    putSetting: (name, value) => writer.call('putSetting', name, value),
    check: () => writer.call('check'),
    close: async () => {
      await Promise.all([reader.close(), checkpointer.close()]);
      await writer.close();
    },
  };
}

function jobCalls(writer: Channel, reader: Channel): JobStore {
  return {
    insertJob: (job, most, note) => noted(writer, note, 'insertJob', job, most),
    job: (tenant, id) => reader.call('job', tenant, id),
    jobs: (query) => reader.call('jobs', query),
    runningJobs: () => reader.call('runningJobs'),
    moveJob: (move, note) => noted(writer, note, 'moveJob', move),
    behind: (tenant, registrationId, limit) => reader.call('behind', tenant, registrationId, limit),
    candidates: (job, asked) => reader.call('candidates', job, asked),
    stepJob: (step) => writer.call('stepJob', step),
    pruneJobs: (before, limit) => writer.call('pruneJobs', before, limit),
  };
}

function logCalls(
  reader: Channel,
  writer: Channel,
): Pick<
  Store,
  | 'index'
  | 'deliveries'
  | 'countDeliveries'
  | 'delivery'
  | 'attempts'
  | 'events'
  | 'countEvents'
  | 'event'
  | 'unfinished'
  | 'feed'
  | 'lastSequence'
> {
  return {
    index: indexer(reader, writer),
    deliveries: (query: DeliveryQuery) => search(reader, 'deliveries', query),
    countDeliveries: (query) => count(reader, 'deliveries', query),
    delivery: (tenant, id) => reader.call('delivery', tenant, id),
    attempts: (query) => reader.call('attempts', query),
    events: (query: EventQuery) => search(reader, 'events', query),
    countEvents: (query) => count(reader, 'events', query),
    event: (tenant, id) => reader.call('event', tenant, id),
    unfinished: () => unfinished(reader),
    feed: (query) => reader.call('feed', query),
    lastSequence: (tenant, registrationId) => reader.call('lastSequence', tenant, registrationId),
  };
}

function statisticsCalls(reader: Channel, writer: Channel): StatisticsStore {
  return {
    addStatistics: (rows) => writer.call('addStatistics', rows),
    statistics: (query) => reader.call('statistics', query),
    mergeStatistics: ({ stepMs, intoMs, before, limit }) =>
      writer.call('mergeStatistics', stepMs, intoMs, before, limit),
    pruneStatistics: (stepMs, before, limit) =>
      writer.call('pruneStatistics', stepMs, before, limit),
    backlog: (tenant, registrationIds) => reader.call('backlog', tenant, registrationIds),
  };
}

function pruningCalls(writer: Channel): PruningStore {
  return {
    prune: (before, limit) => writer.call('prune', before, limit),
    pruneSome: (some) => writer.call('pruneSome', some),
    pruneIdempotency: (before, limit) => writer.call('pruneIdempotency', before, limit),
  };
}

function erasureCalls(
  writer: Channel,
  reader: Channel,
): Pick<Store, 'learnerEvents' | 'erase' | 'eraseMarked' | 'scrub'> {
  return {
    learnerEvents: (query) => reader.call('learnerEvents', query),
    erase: (erasure) => writer.call('erase', erasure),
    eraseMarked: (marked) => writer.call('eraseMarked', marked),
    scrub: () => writer.call('scrub'),
  };
}

/** Rows of a tenant removed in one transaction: other tenants' commits wait no longer than that. */
const REMOVAL_STEP = 500;

/** The tenant's own row goes last, so that a deletion cut short can be asked for again. */
async function deleteTenant(
  writer: Channel,
  id: string,
  note: AuditEntry | undefined,
): Promise<boolean> {
  let removed: number;
  do {
    removed = await writer.call<number>('emptyTenant', id, REMOVAL_STEP);
  } while (removed > 0);
  return noted(writer, note, 'deleteTenant', id);
}

/** A write, and the entry of the audit log that goes with it. */
function noted<T>(
  writer: Channel,
  note: AuditEntry | undefined,
  ...[method, ...args]: [method: string, ...args: unknown[]]
): Promise<T> {
  return note === undefined
    ? writer.call<T>(method, ...args)
    : writer.call<T>('noted', note, method, ...args);
}

/**
 * The reader looks payloads over and the writer notes what it found, so that no commit waits for
 * it. The paths are many: they are handed over once, and again after a failure, for as long as
 * callers give the same object.
 */
function indexer(reader: Channel, writer: Channel): Store['index'] {
  let handedOver: SubjectPaths | undefined;
  return async (paths, limit) => {
    const isKnown = paths === handedOver;
    handedOver = paths;
    const asked = reader.call<Flat>('keysOfNext', limit, isKnown ? null : paths);
    const found = await asked.catch((error: unknown) => {
      handedOver = undefined;
      throw error;
    });
    if (found.length > 0) await writer.call('noteKeys', found);
    return found.length / INDEXED_WIDTH;
  };
}

/** Counts slice after slice, so that look-ups get their turns between. */
async function unfinished(reader: Channel): Promise<readonly Unfinished[]> {
  const found: Unfinished[] = [];
  let next: string | null = '';
  while (next !== null) {
    const slice: UnfinishedSlice = await reader.call('unfinished', next);
    found.push(...slice.rows);
    next = slice.next;
  }
  return found;
}

type LogMethod = 'deliveries' | 'events';

/** Reads slice after slice, so that others' look-ups get their turns between, until enough is found. */
async function search<Row>(
  reader: Channel,
  method: LogMethod,
  query: DeliveryQuery | EventQuery,
): Promise<readonly Row[]> {
  const found: Row[] = [];
  let slice = await reader.call<Slice<Row>>(method, query);
  found.push(...slice.rows);
  while (slice.next !== null && found.length < query.limit) {
    const rest = { ...query, ...slice.next, limit: query.limit - found.length };
    slice = await reader.call<Slice<Row>>(method, rest);
    found.push(...slice.rows);
  }
  return found;
}

/** Counts slice after slice. */
async function count(reader: Channel, method: LogMethod, query: LogQuery): Promise<Count> {
  const asked = { ...query, limit: COUNT_LIMIT + 1, idsOnly: true };
  const found = await search<Id>(reader, method, asked);
  return { count: Math.min(found.length, COUNT_LIMIT), isExact: found.length <= COUNT_LIMIT };
}

function flattenPublication({ events, idempotency }: Publication): FlatPublication {
  const flatEvents: Value[] = [];
  const deliveries: Value[] = [];
  for (const event of events) {
    const { tenant, id, acceptedAt, occurredAt, payload } = event;
    const actions = JSON.stringify(event.actions);
    flatEvents.push(tenant, id, acceptedAt, occurredAt, actions, payload);
    flatEvents.push(event.trace ?? null, event.deliveries.length);
    for (const {
      id: delivery,
      registrationId,
      state,
      leased,
      picks,
      orderKeys,
    } of event.deliveries) {
      const dueAt = state === 'pending' ? acceptedAt : null;
      deliveries.push(delivery, registrationId, stateCode(state), Number(leased), dueAt);
      deliveries.push(picks === null ? null : JSON.stringify(picks));
      deliveries.push(orderKeys === null ? null : JSON.stringify(orderKeys));
    }
  }
  return { events: flatEvents, deliveries, idempotency: flattenIdempotency(idempotency) };
}

function flattenIdempotency(idempotency: Publication['idempotency']): Flat | null {
  if (idempotency === null) return null;
  const { tenant, key, hash, answer, at } = idempotency;
  return [tenant, key, hash, answer, at];
}

function flattenSettlements(batch: readonly Settlement[]): Flat {
  const rows: Value[] = [];
  for (const { tenant, deliveryId, attempt, next } of batch) {
    const { number, startedAt, durationMs, outcome, record } = attempt;
    rows.push(tenant, deliveryId, number, startedAt, durationMs, record);
    if (next.state === 'pending') rows.push(0, next.step, next.dueAt, null, null);
    else {
      const ended = next.state === 'held' ? null : startedAt + durationMs;
      rows.push(stateCode(next.state), null, null, ended, next.reason);
    }
    const { class: kind, sentence } = explain(outcome);
    rows.push(kind, outcome.kind === 'response' ? outcome.status : null, sentence);
  }
  return rows;
}

function orderedOf(batch: readonly Settlement[]): Flat {
  return batch.flatMap(({ ordered, tenant, deliveryId }) => (ordered ? [tenant, deliveryId] : []));
}
