import type { HeldStore, JobStore, PruningStore, Store } from '../port.ts';
import type { StatisticsStore } from '../statistics-port.ts';
import { appendEntry, audit, pruneAudit } from './audit.ts';
import { changes, forgetChanges, loadAll } from './changes.ts';
import type { Database, Statement } from './database.ts';
import { type Message, toPayload } from './listener.ts';
import { LEASE_MS, Member } from './membership.ts';
import { nodes } from './nodes.ts';
import { openDatabase, type PostgresOptions } from './open.ts';
import { RecentEvents } from './recent-events.ts';
import { scrub } from './scrub.ts';
import { erase, eraseMarked, learnerEvents } from './write-erasing.ts';
import { pruneSome } from './prune-some.ts';
import {
  createPartitions,
  DAY_MS,
  dropOldestDay,
  pruneIdempotency,
  pruneOther,
} from './partitions.ts';
import { Leases, type Place } from './place.ts';
import { cancelHeld, held } from './held.ts';
import { feed, lastSequence } from './feed.ts';
import { InHand } from './in-hand.ts';
import { index } from './keys.ts';
import { EVERYTHING, layOut, ofTenants, olderThan } from './lay-out.ts';
import { delivery, event, someAttempts, unfinished } from './read-log.ts';
import { behind, candidates, job, jobs, runningJobs } from './read-jobs.ts';
import { countDeliveries, deliveries } from './search-deliveries.ts';
import { countEvents, events } from './search-events.ts';
import { accept, earlier } from './write-accept.ts';
import { claimArrived } from './claim-arrived.ts';
import { claim, recover, release, waiting } from './write-claim.ts';
import { cancel, move, retry } from './write-deliveries.ts';
import { check, noted, notedIfKnown, putSetting, setting, writes } from './write-installation.ts';
import { statisticsCalls } from './statistics.ts';
import { insertJob, moveJob, pruneJobs, stepJob } from './write-jobs.ts';
import { deleteTenant } from './write-removal.ts';
import { unorder } from './write-order.ts';
import { putStreaks, streaks } from './streaks.ts';
import { settle } from './write-settle.ts';

/** Opens the store on PostgreSQL and brings its schema up to date. Throws with a sentence when it cannot be used. */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  return createStore(await openDatabase(options));
}

function createStore(database: Database): Store {
  let member: Member | undefined;
  const place: Place = {
    database,
    epoch: () => member?.epoch ?? 0,
    owns: (shard) => member?.owns(shard) ?? false,
    leases: new Leases(),
    inHand: new InHand(),
    recent: new RecentEvents(),
  };
  return {
    ...deliveryCalls(place),
    ...nodeCalls(place, (joined) => (member = joined)),
    ...installationCalls(database),
    ...logCalls(place),
    ...jobCalls(database),
    held: (ref, before) => held(database, ref, before),
    cancelHeld: (ref, cancellation) => cancelHeld(database, ref, cancellation),
    ...statisticsCalls(database),
    ...erasureCalls(database),
    close: async () => {
      await member?.leave();
      await database.close();
    },
  };
}

function nodeCalls(
  place: Place,
  onJoin: (member: Member) => void,
): Calls<'join' | 'wake' | 'drop' | 'nodes' | 'changes'> {
  const { database } = place;
  const tell = async (message: Message): Promise<void> => {
    await database.query(TELL, [toPayload(message)]);
  };
  return {
    join: async (node, heard) => {
      const member = new Member(place, node, heard);
      onJoin(member);
      await member.start();
      return member;
    },
    wake: (refs) => tell({ wake: refs }),
    drop: (ref, id) => tell({ drop: [ref, id] }),
    nodes: () => nodes(database, LEASE_MS),
    changes: (version) => changes(database, version),
  };
}

const TELL: Statement = { name: 'tell', text: "select pg_notify('schoolbell', $1)" };

function erasureCalls(
  database: Database,
): Calls<'learnerEvents' | 'erase' | 'eraseMarked' | 'scrub'> {
  return {
    learnerEvents: (query) => learnerEvents(database, query),
    erase: (erasure) => erase(database, erasure),
    eraseMarked: (marked) => eraseMarked(database, marked),
    scrub: () => scrub(database),
  };
}

type Calls<Names extends keyof Store> = Pick<Store, Names>;

function deliveryCalls(
  place: Place,
): Calls<
  | 'accept'
  | 'earlier'
  | 'queuesWrites'
  | 'settle'
  | 'claim'
  | 'claimArrived'
  | 'release'
  | 'recover'
  | 'waiting'
  | 'streaks'
  | 'putStreaks'
  | 'move'
  | 'unorder'
  | 'retry'
  | 'cancel'
> {
  const { database } = place;
  return {
    queuesWrites: false,
    accept: (batch, version) => accept(place, batch, version ?? null),
    earlier: (key) => earlier(database, key),
    settle: (batch) => settle(place, batch),
    claim: (lanes, now) => claim(place, lanes, now),
    claimArrived: (arrivals) => claimArrived(place, arrivals),
    release: (released) => release(place, released),
    recover: (shards) => recover(place, shards),
    waiting: (shards) => waiting(place, shards),
    streaks: (shards) => streaks(place, shards),
    putStreaks: (changed) => putStreaks(place, changed),
    move: (asked) => laidOut(database, asked.tenant, () => move(place, asked)),
    unorder: (tenant, registrationId, limit) =>
      unorder(database, { tenant, registrationId }, limit),
    retry: (tenant, id, now, note) =>
      laidOut(database, tenant, () =>
        noted(database, note, (query) => retry(query, place, { tenant, id, now })),
      ),
    cancel: (tenant, id, now, note) =>
      laidOut(database, tenant, () =>
        noted(database, note, (query) => cancel(query, { tenant, id, now })),
      ),
  };
}

function installationCalls(
  database: Database,
): Omit<
  Store,
  | keyof ReturnType<typeof deliveryCalls>
  | keyof ReturnType<typeof nodeCalls>
  | keyof ReturnType<typeof logCalls>
  | keyof JobStore
  | keyof HeldStore
  | keyof StatisticsStore
  | keyof ReturnType<typeof erasureCalls>
  | 'close'
> {
  return {
    registrations: () => loadAll(database, 'registration'),
    insertRegistration: async (registration, note) => {
      await noted(database, note, writes.insertRegistration(registration));
    },
    updateRegistration: (registration, note) =>
      noted(database, note, writes.updateRegistration(registration)),
    deleteRegistration: (tenant, id, note) =>
      notedIfKnown(database, note, writes.deleteRegistration(tenant, id)),

    filters: () => loadAll(database, 'filter'),
    putFilter: async (filter, note) => {
      await noted(database, note, writes.putFilter(filter));
    },
    deleteFilter: (name, note) => notedIfKnown(database, note, writes.deleteFilter(name)),

    tenants: () => loadAll(database, 'tenant'),
    insertTenant: (tenant, note) => noted(database, note, writes.insertTenant(tenant)),
    updateTenant: (tenant, note) => noted(database, note, writes.updateTenant(tenant)),
    deleteTenant: (id, note) => deleteTenant(database, id, note),

    keys: () => loadAll(database, 'key'),
    insertKey: async (key, note) => {
      await noted(database, note, writes.insertKey(key));
    },
    deleteKey: (tenant, id, note) => notedIfKnown(database, note, writes.deleteKey(tenant, id)),

    setting: (name) => setting(database, name),
    putSetting: (name, value) => putSetting(database, name, value),
    check: () => check(database),
  };
}

function logCalls(
  place: Place,
): Calls<
  | 'index'
  | 'deliveries'
  | 'countDeliveries'
  | 'countEvents'
  | 'delivery'
  | 'attempts'
  | 'events'
  | 'event'
  | 'unfinished'
  | 'feed'
  | 'lastSequence'
  | 'note'
  | 'audit'
  | 'pruneAudit'
  | keyof PruningStore
> {
  const { database } = place;
  return {
    index: (...asked) => index(place, ...asked),
    deliveries: (query) => laidOut(database, query.tenant, () => deliveries(database, query)),
    countDeliveries: (query) =>
      laidOut(database, query.tenant, () => countDeliveries(database, query)),
    delivery: (tenant, id) => laidOut(database, tenant, () => delivery(database, tenant, id)),
    attempts: (query) => someAttempts(database, query),
    events: (query) => laidOut(database, query.tenant, () => events(database, query)),
    countEvents: (query) => laidOut(database, query.tenant, () => countEvents(database, query)),
    event: (tenant, id) => event(database, tenant, id),
    unfinished: async () => {
      await layOut(database, EVERYTHING);
      return unfinished(database);
    },
    feed: (query) => laidOut(database, query.tenant, () => feed(database, query)),
    lastSequence: (tenant, registrationId) => lastSequence(database, tenant, registrationId),

    note: (entry) => appendEntry(database.query.bind(database), entry),
    audit: (query) => audit(database, query),
    pruneAudit: (before, limit) => pruneAudit(database, before, limit),
    prune: (before, limit) => prune(database, before, limit),
    pruneSome: async (some) => {
      await layOutOld(database, some.before);
      return pruneSome(database, some);
    },
    pruneIdempotency: (before, limit) => pruneIdempotency(database, before, limit),
  };
}

function jobCalls(database: Database): JobStore {
  return {
    insertJob: (made, most, note) => noted(database, note, (query) => insertJob(query, made, most)),
    job: (tenant, id) => job(database, tenant, id),
    jobs: (query) => jobs(database, query),
    runningJobs: (shards) => runningJobs(database, shards),
    moveJob: (asked, note) => noted(database, note, (query) => moveJob(query, asked)),
    behind: (tenant, id, limit) => behind(database, { tenant, id }, limit),
    candidates: (of, asked) => laidOut(database, of.tenant, () => candidates(database, of, asked)),
    stepJob: (step) => stepJob(database, step),
    pruneJobs: (before, limit) => pruneJobs(database, before, limit),
  };
}

/** Whole days first; one of these counts as a full step. */
async function prune(database: Database, before: number, limit: number): Promise<number> {
  await createPartitions(database, Date.now());
  await forgetChanges(database);
  await layOutOld(database, before);
  if (await dropOldestDay(database, before)) return limit;
  return pruneOther(database, before, limit);
}

/** For what reads or changes what waits of the tenant by other ways than its lanes. */
async function laidOut<T>(database: Database, tenant: string, work: () => Promise<T>): Promise<T> {
  await layOut(database, ofTenants([tenant]));
  return work();
}

/** What is removed must have its place among the ended alone; clocks of nodes differ, and are set. */
function layOutOld(database: Database, before: number): Promise<void> {
  return layOut(database, olderThan(before + DAY_MS));
}
