import type pg from 'pg';
import { ALL_SHARDS } from '../../core/shard.ts';
import type { Store } from '../port.ts';
import { appendEntry, audit, pruneAudit } from './audit.ts';
import { loadAll } from './changes.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { join, leave } from './membership.ts';
import { migrate } from './migrate.ts';
import { createPartitions, dropOldestDay, pruneIdempotency, pruneOther } from './partitions.ts';
import { Leases, type Place } from './place.ts';
import { index } from './keys.ts';
import { counts, delivery, event } from './read-log.ts';
import { countDeliveries, deliveries } from './search-deliveries.ts';
import { countEvents, events } from './search-events.ts';
import { refuseUnsafe } from './safety.ts';
import { accept } from './write-accept.ts';
import { claim, recover, release } from './write-claim.ts';
import { cancel, move, retry } from './write-deliveries.ts';
import { check, noted, notedIfKnown, putSetting, setting, writes } from './write-installation.ts';
import { deleteTenant } from './write-removal.ts';
import { unorder } from './write-order.ts';
import { settle } from './write-settle.ts';

export type PostgresOptions = DatabaseOptions & {
  /** Lets a server lose what it said was written: for machines that run tests. */
  readonly allowUnsafe: boolean;
  /** What others are told of this node. */
  readonly node: { readonly name: string; readonly version: string };
};

/** Opens the store on PostgreSQL and brings its schema up to date. Throws with a sentence when it cannot be used. */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const database = new Database(options);
  const session = database.session();
  // When this connection breaks, the pool's own break too, and they tell.
  session.on('error', () => undefined);
  try {
    await session.connect();
    await refuseUnsafe(session, options.allowUnsafe);
    await holdAlone(session);
    await migrate(session);
    await createPartitions(database, Date.now());
    const epoch = await join(database, options.node);
    return createStore({ database, epoch: () => epoch, leases: new Leases() }, session);
  } catch (error) {
    await session.end();
    await database.close();
    throw error;
  }
}

/** Names the lock of the one node that may use the database; any number that stays the same. */
const ONE_NODE = 836_500_003;

/** As long as nodes do not share work, a second one would send everything again. */
async function holdAlone(session: pg.Client): Promise<void> {
  const { rows } = await session.query<{ mine: boolean }>(
    'select pg_try_advisory_lock($1) as mine',
    [ONE_NODE],
  );
  if (rows[0]?.mine === true) return;
  throw new Error('the database is in use by another node of Schoolbell. Stop that one first');
}

function createStore(place: Place, session: pg.Client): Store {
  const { database } = place;
  return {
    ...deliveryCalls(place),
    ...installationCalls(database),
    ...logCalls(database),
    close: async () => {
      await leave(database, place.epoch()).catch(() => undefined);
      await session.end();
      await database.close();
    },
  };
}

type Calls<Names extends keyof Store> = Pick<Store, Names>;

function deliveryCalls(
  place: Place,
): Calls<
  'accept' | 'settle' | 'claim' | 'release' | 'recover' | 'move' | 'unorder' | 'retry' | 'cancel'
> {
  const { database } = place;
  return {
    accept: (batch) => accept(place, batch),
    settle: (batch) => settle(place, batch),
    claim: (lanes, now) => claim(place, lanes, now),
    release: (released) => release(place, released),
    recover: () => recover(place, ALL_SHARDS),
    move: (asked) => move(place, asked),
    unorder: (tenant, registrationId, limit) =>
      unorder(database, { tenant, registrationId }, limit),
    retry: (tenant, id, now, note) =>
      noted(database, note, (query) => retry(query, { tenant, id, now })),
    cancel: (tenant, id, now, note) =>
      noted(database, note, (query) => cancel(query, { tenant, id, now })),
  };
}

function installationCalls(
  database: Database,
): Omit<
  Store,
  keyof ReturnType<typeof deliveryCalls> | keyof ReturnType<typeof logCalls> | 'close'
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
    renameTenant: (id, name, note) => noted(database, note, writes.renameTenant(id, name)),
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
  database: Database,
): Calls<
  | 'index'
  | 'deliveries'
  | 'countDeliveries'
  | 'countEvents'
  | 'delivery'
  | 'events'
  | 'event'
  | 'counts'
  | 'note'
  | 'audit'
  | 'pruneAudit'
  | 'prune'
  | 'pruneIdempotency'
> {
  return {
    index: (paths, limit) => index(database, paths, limit),
    deliveries: (query) => deliveries(database, query),
    countDeliveries: (query) => countDeliveries(database, query),
    delivery: (tenant, id) => delivery(database, tenant, id),
    events: (query) => events(database, query),
    countEvents: (query) => countEvents(database, query),
    event: (tenant, id) => event(database, tenant, id),
    counts: () => counts(database),

    note: (entry) => appendEntry(database.query.bind(database), entry),
    audit: (query) => audit(database, query),
    pruneAudit: (before, limit) => pruneAudit(database, before, limit),
    prune: (before, limit) => prune(database, before, limit),
    pruneIdempotency: (before, limit) => pruneIdempotency(database, before, limit),
  };
}

/** Whole days first; one of these counts as a full step. */
async function prune(database: Database, before: number, limit: number): Promise<number> {
  await createPartitions(database, Date.now());
  if (await dropOldestDay(database, before)) return limit;
  return pruneOther(database, before, limit);
}
