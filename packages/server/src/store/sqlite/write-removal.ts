import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { idAt } from '../../core/id.ts';
import { actionKey } from '../../core/subjects.ts';
import type { PruneSome, PrunedSome } from '../port.ts';
import type { Methods } from './protocol.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Sequences } from './sequences.ts';

/**
 * The indices are named, because SQLite without statistics takes the primary key instead and reads
 * all deliveries of the tenant.
 */
const ENDED_OF_EVENT = `
select id
  from deliveries indexed by deliveries_by_event
 where tenant = ?
   and event_id = ?
   and ended_at < ?
 limit ?`;

const ANY_OF_EVENT = `
select 1
  from deliveries indexed by deliveries_by_event
 where tenant = ?
   and event_id = ?
 limit 1`;

const OF_TENANT = `
select id
  from deliveries
 where tenant = ?
 limit ?`;

const DELETE_ATTEMPTS = 'delete from attempts where delivery_id = ?';

const DELETE_DELIVERY = `
delete from deliveries
 where tenant = ?
   and id = ?`;

/** Their order of acceptance is the order of `seq`. */
const NEXT_EVENTS = `
select seq, tenant, id, accepted_at
  from events
 where seq > ?
 order by seq
 limit ?`;

const OLD_OF_TENANT = `
select seq, tenant, id
  from events indexed by events_by_id
 where tenant = ?
   and id > ?
   and id < ?
 order by id
 limit ?`;

const OLD_WITH_KEY = `
select e.seq, e.tenant, e.id
  from keys x
 cross join key_events k
    on k.key_id = x.id
 cross join events e
    on e.tenant = x.tenant
   and e.id = lower(hex(k.event_id))
 where x.tenant = ?
   and x.key = ?
   and k.event_id > unhex(?)
   and k.event_id < unhex(?)
 order by k.event_id
 limit ?`;

const DELETE_EVENT = 'delete from events where seq = ?';

const DELETE_EVENTS = `
delete from events
 where seq in (
       select seq
         from events
        where tenant = ?
        limit ?)`;

const DELETE_KEYS = `
delete from idempotency
 where tenant = ?1
   and key in (
       select key
         from idempotency
        where tenant = ?1
        limit ?2)`;

const DELETE_OLD_KEYS = `
delete from idempotency
 where (tenant, key) in (
       select tenant, key
         from idempotency
        where at < ?
        order by at
        limit ?)`;

const DELETE_ORDER = `
delete from order_keys
 where (tenant, registration_id, key, seq, delivery_id) in (
       select tenant, registration_id, key, seq, delivery_id
         from order_keys
        where tenant = ?
        limit ?)`;

const DELETE_SEQUENCES = `
delete from sequences
 where id in (
       select id
         from sequences
        where tenant = ?
        limit ?)`;

const DELETE_STATISTICS = `
delete from statistics
 where (tenant, registration_id, action, start, step_ms) in (
       select tenant, registration_id, action, start, step_ms
         from statistics
        where tenant = ?
        limit ?)`;

/** What goes with the tenant itself: tables that are small. */
const SETUP_OF_TENANT = ['api_keys', 'streaks', 'registrations', 'jobs', 'erasures'] as const;

/** Removes what is old, and what belonged to a tenant, in steps that hold up no commit for long. */
export function removals(database: DatabaseSync, sequences: Sequences): Methods {
  const removeDeliveries = deliveryRemoval(database);
  return {
    ...tenantRemoval(database, sequences, removeDeliveries),
    ...pruning(database, removeDeliveries),
  };
}

type RemoveDeliveries = (tenant: string, found: readonly Row[]) => number;

function deliveryRemoval(database: DatabaseSync): RemoveDeliveries {
  const deleteAttempts = database.prepare(DELETE_ATTEMPTS);
  const deleteDelivery = database.prepare(DELETE_DELIVERY);
  return (tenant, found) => {
    for (const row of found) {
      const id = text(row, 'id');
      deleteAttempts.run(id);
      deleteDelivery.run(tenant, id);
    }
    return found.length;
  };
}

function tenantRemoval(
  database: DatabaseSync,
  sequences: Sequences,
  removeDeliveries: RemoveDeliveries,
): Methods {
  const ofTenant = database.prepare(OF_TENANT);
  const run = (sql: string, ...values: SQLInputValue[]): number =>
    Number(database.prepare(sql).run(...values).changes);

  /** How many rows went; none when nothing but the tenant's set-up is left. */
  function emptyTenant(id: string, limit: number): number {
    const removed = removeDeliveries(id, ofTenant.all(id, limit));
    if (removed > 0) return removed;
    // What is counted by heart is of rows that go now.
    sequences.forget();
    const rest = [DELETE_EVENTS, DELETE_KEYS, DELETE_ORDER, DELETE_STATISTICS, DELETE_SEQUENCES];
    return rest.reduce((sum, sql) => sum + run(sql, id, limit), 0);
  }

  function deleteTenant(id: string): boolean {
    // What was counted while the rest was removed.
    run('delete from statistics where tenant = ?', id);
    run('delete from sequences where tenant = ?', id);
    sequences.forget();
    for (const table of SETUP_OF_TENANT) run(`delete from ${table} where tenant = ?`, id);
    return run('delete from tenants where id = ?', id) > 0;
  }

  return { emptyTenant, deleteTenant };
}

/** Below every id. */
const FIRST = '0'.repeat(32);

function pruning(database: DatabaseSync, removeDeliveries: RemoveDeliveries): Methods {
  const nextEvents = database.prepare(NEXT_EVENTS);
  const endedOfEvent = database.prepare(ENDED_OF_EVENT);
  const anyOfEvent = database.prepare(ANY_OF_EVENT);
  const deleteEvent = database.prepare(DELETE_EVENT);
  const deleteOldKeys = database.prepare(DELETE_OLD_KEYS);
  const oldOfTenant = database.prepare(OLD_OF_TENANT);
  const oldWithKey = database.prepare(OLD_WITH_KEY);
  let prunedTo = 0;

  function pruneEvent(event: Row, before: number, room: number): number {
    const [tenant, id] = [text(event, 'tenant'), text(event, 'id')];
    const removed = removeDeliveries(tenant, endedOfEvent.all(tenant, id, before, room));
    if (anyOfEvent.get(tenant, id) === undefined) deleteEvent.run(integer(event, 'seq'));
    return removed;
  }

  /**
   * Goes on where the last step ended, and begins again at the oldest when it comes to events that
   * are all too young, so that no step reads what it cannot remove.
   */
  function prune(before: number, limit: number): number {
    const events = nextEvents.all(prunedTo, limit);
    const old = events.filter((event) => integer(event, 'accepted_at') < before);
    let removed = 0;
    for (const event of old) {
      removed += pruneEvent(event, before, limit - removed);
      if (removed >= limit) return limit;
      prunedTo = integer(event, 'seq');
    }
    if (old.length > 0 && events.length === limit) return limit;
    prunedTo = 0;
    return removed;
  }

  function pruneSome({ tenant, action, before, after = FIRST, limit }: PruneSome): PrunedSome {
    const range = [after, idAt(before), limit] as const;
    const events =
      action === null
        ? oldOfTenant.all(tenant, ...range)
        : oldWithKey.all(tenant, actionKey(action), ...range);
    let deliveries = 0;
    let next = after;
    for (const event of events) {
      deliveries += pruneEvent(event, before, limit - deliveries);
      if (deliveries >= limit) return { deliveries, next };
      next = text(event, 'id');
    }
    return { deliveries, next: events.length === limit ? next : null };
  }

  return {
    prune,
    pruneSome,
    pruneIdempotency: (before: number, limit: number) =>
      Number(deleteOldKeys.run(before, limit).changes),
  };
}
