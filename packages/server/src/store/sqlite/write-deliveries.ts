import type { DatabaseSync } from 'node:sqlite';
import type { Delivery } from '../../core/delivery.ts';
import type { LaneClaim, LaneRoom, Move, Recovery } from '../port.ts';
import type { Flat, Methods } from './protocol.ts';
import { type Order, order } from './write-order.ts';
import {
  integer,
  integerOrNull,
  pickCarried,
  replayOf,
  type Row,
  stateCode,
  text,
  tracedBy,
} from '../rows.ts';

const CLAIMABLE = `
select d.tenant, d.id, d.event_id, d.registration_id, d.attempts, d.step, d.picks, d.order_keys, d.sequence, d.replay_of,
       e.payload, e.actions, e.trace
  from deliveries d
  join events e
    on e.tenant = d.tenant
   and e.id = d.event_id
 where d.state = 0
   and d.tenant = ?
   and d.registration_id = ?
   and d.leased = 0
   and d.due_at <= ?
 order by d.due_at
 limit ?`;

const LEASE = `
update deliveries
   set leased = ?
 where tenant = ?
   and id = ?
   and state = 0`;

const NEXT_DUE = `
select min(due_at) as due_at
  from deliveries
 where state = 0
   and tenant = ?
   and registration_id = ?
   and leased = 0`;

/** The next registration after the given one that has deliveries of a kind: a loose index scan. */
const NEXT_PENDING = `
select tenant, registration_id
  from deliveries indexed by deliveries_pending
 where state = 0
   and (tenant, registration_id) > (?, ?)
 order by tenant, registration_id
 limit 1`;

const NEXT_HELD = `
select tenant, registration_id
  from deliveries indexed by deliveries_held
 where state = 3
   and (tenant, registration_id) > (?, ?)
 order by tenant, registration_id
 limit 1`;

const NEXT_ORDERED = `
select tenant, registration_id
  from order_keys
 where (tenant, registration_id) > (?, ?)
 order by tenant, registration_id
 limit 1`;

/** The index is named, because SQLite without statistics reads all deliveries of the tenant instead. */
const UNLEASE = `
update deliveries indexed by deliveries_pending
   set leased = 0
 where state = 0
   and tenant = ?
   and registration_id = ?
   and leased = 1
returning id, order_keys`;

const MOVE_PENDING = `
update deliveries
   set state = ?1, leased = 0, due_at = null, ended_at = ?2, reason = ?3
 where state = 0
   and (tenant, id) in (
       select tenant, id
         from deliveries indexed by deliveries_pending
        where state = 0
          and registration_id = ?4
          and tenant = ?5
        limit ?6)
returning id, order_keys`;

const MOVE_HELD = `
update deliveries
   set state = ?1, due_at = ?2, ended_at = ?3, reason = ?4
 where state = 3
   and (tenant, id) in (
       select tenant, id
         from deliveries indexed by deliveries_held
        where state = 3
          and registration_id = ?5
          and tenant = ?6
        order by id
        limit ?7)
returning id, order_keys`;

const RETRY = `
update deliveries
   set state = 0, leased = 0, step = 0, due_at = ?, ended_at = null, reason = null
 where tenant = ?
   and id = ?`;

const CANCEL = `
update deliveries
   set state = 4, leased = 0, due_at = null, ended_at = ?, reason = 'cancelled by hand'
 where tenant = ?
   and id = ?
   and state in (0, 3)`;

/** Leases, moves and the changes that people make. */
export function deliveryWrites(database: DatabaseSync): Methods {
  const claimable = database.prepare(CLAIMABLE);
  const lease = database.prepare(LEASE);
  const nextDue = database.prepare(NEXT_DUE);
  const movePending = database.prepare(MOVE_PENDING);
  const moveHeld = database.prepare(MOVE_HELD);
  const ordering = order(database);

  function claimOne({ tenant, registrationId, room }: LaneRoom, now: number): LaneClaim {
    const deliveries = claimable.all(tenant, registrationId, now, room).map(toDelivery);
    for (const { id } of deliveries) lease.run(1, tenant, id);
    const next = nextDue.get(tenant, registrationId);
    return { deliveries, nextDueAt: next === undefined ? null : integerOrNull(next, 'due_at') };
  }

  function move({ tenant, registrationId, from, to, reason, now, limit }: Move): number {
    const ended = to === 'cancelled' ? now : null;
    const due = to === 'pending' ? now : null;
    const place = [registrationId, tenant, limit] as const;
    const moved =
      from === 'pending'
        ? movePending.all(stateCode(to), ended, reason, ...place)
        : moveHeld.all(stateCode(to), due, ended, reason, ...place);
    ordering.followEach(orderedOf(tenant, moved));
    return moved.length;
  }

  return {
    claim: (lanes: readonly LaneRoom[], now: number) => lanes.map((lane) => claimOne(lane, now)),
    release: (deliveries: readonly { readonly tenant: string; readonly id: string }[]) => {
      for (const { tenant, id } of deliveries) {
        lease.run(0, tenant, id);
        ordering.follow(tenant, id);
      }
    },
    recover: () => {
      unleaseAll(database, ordering);
      return waiting(database);
    },
    waiting: () => waiting(database),
    move,
    ...byHand(database, ordering),
  };
}

/** What people do with one delivery. */
function byHand(database: DatabaseSync, ordering: Order): Methods {
  const retry = database.prepare(RETRY);
  const cancel = database.prepare(CANCEL);
  return {
    retry: (tenant: string, id: string, now: number) => {
      const found = retry.run(now, tenant, id).changes === 1;
      if (found) ordering.reenrol(tenant, id);
      return found;
    },
    cancel: (tenant: string, id: string, now: number) => {
      const found = cancel.run(now, tenant, id).changes === 1;
      if (found) ordering.follow(tenant, id);
      return found;
    },
  };
}

/** Of changed rows, those with an order. */
function orderedOf(tenant: string, changed: readonly Row[]): Flat {
  return changed.flatMap((row) => (row['order_keys'] === null ? [] : [tenant, text(row, 'id')]));
}

function unleaseAll(database: DatabaseSync, ordering: Order): void {
  const unlease = database.prepare(UNLEASE);
  for (const { tenant, registrationId } of owners(database, NEXT_PENDING))
    ordering.followEach(orderedOf(tenant, unlease.all(tenant, registrationId)));
}

function waiting(database: DatabaseSync): Recovery {
  const nextDue = database.prepare(NEXT_DUE);
  const pending = owners(database, NEXT_PENDING).flatMap((owner) => {
    const next = nextDue.get(owner.tenant, owner.registrationId);
    const nextDueAt = next === undefined ? null : integerOrNull(next, 'due_at');
    // Where all are behind held ones they go on with those.
    return nextDueAt === null ? [] : [{ ...owner, nextDueAt }];
  });
  return { pending, held: owners(database, NEXT_HELD), ordered: owners(database, NEXT_ORDERED) };
}

function owners(database: DatabaseSync, sql: string): { tenant: string; registrationId: string }[] {
  const next = database.prepare(sql);
  const found: { tenant: string; registrationId: string }[] = [];
  for (let row = next.get('', ''); row !== undefined;) {
    const owner = { tenant: text(row, 'tenant'), registrationId: text(row, 'registration_id') };
    found.push(owner);
    row = next.get(owner.tenant, owner.registrationId);
  }
  return found;
}

function toDelivery(row: Row): Delivery {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    registrationId: text(row, 'registration_id'),
    ...pickCarried(row),
    attempts: integer(row, 'attempts'),
    step: integer(row, 'step'),
    ordered: row['order_keys'] !== null,
    ...replayOf(row),
    sequence: integerOrNull(row, 'sequence'),
    ...tracedBy(row),
  };
}
