import type { DatabaseSync } from 'node:sqlite';
import { ERASED_REASON } from '../../core/erasing.ts';
import type { Id } from '../../core/id.ts';
import type {
  Erasure,
  ErasureStep,
  EventErasure,
  EventRef,
  LearnerQuery,
  MarkedErasure,
  PendingChoice,
} from '../erasure.ts';
import {
  erasedRecord,
  type ErasurePlan,
  type EventDelivery,
  listOrNull,
  picksLeft,
  planErasure,
  toEventDelivery,
  toOpen,
} from '../erasing.ts';
import { integer, parse, type Row, text, toEventRow } from '../rows.ts';
import type { Methods } from './protocol.ts';
import { EVENT_COLUMNS } from './search-events.ts';
import { order } from './write-order.ts';

const OF_LEARNER = `
select lower(hex(k.event_id)) as id, k.picks
  from keys x
 cross join key_events k
    on k.key_id = x.id
 where x.tenant = ?
   and x.key = ?
   and k.event_id < unhex(?)
 order by k.event_id desc
 limit ?`;

const EVENT = `${EVENT_COLUMNS}, e.seq
  from events e
 where e.tenant = ?
   and e.id = ?`;

const DELIVERIES = `
select id, registration_id, state, leased, picks, order_keys
  from deliveries indexed by deliveries_by_event
 where tenant = ?
   and event_id = ?`;

const CANCEL = `
update deliveries
   set state = 4, leased = 0, due_at = null, ended_at = ?, reason = '${ERASED_REASON}'
 where tenant = ?
   and id = ?`;

const ERASE_EVENT = 'update events set payload = ?, erased = ? where seq = ?';

const ATTEMPTS = 'select seq from attempts where delivery_id = ?';
const RECORD = 'select record from attempts where seq = ?';
const ERASE_ATTEMPT = 'update attempts set record = ? where seq = ?';

const KEYS = `
select x.id, x.key, k.picks
  from json_each(?) c
 cross join keys x
    on x.tenant = ?
   and x.key = c.value
 cross join key_events k
    on k.key_id = x.id
   and k.event_id = unhex(?)`;
const KEEP_KEY = 'update key_events set picks = ? where key_id = ? and event_id = unhex(?)';
const DROP_KEY = 'delete from key_events where key_id = ? and event_id = unhex(?)';
const DROP_UNUSED_KEY = `
delete from keys
 where id = ?
   and not exists (select 1 from key_events where key_id = ?)`;

const MARK = `
insert into erasures (tenant, event_id, receipt, picks, cancels)
values (?1, ?2, ?3, ?4, ?5)
    on conflict (tenant, event_id) do update
   set receipt = ?3, cancels = max(cancels, ?5), picks = (
       select json_group_array(distinct value)
         from (select value from json_each(picks) union all select value from json_each(?4)))`;
const UNMARK = 'delete from erasures where tenant = ? and event_id = ?';
const MARKED = `
select tenant, event_id, receipt, picks, cancels
  from erasures
 where (tenant, event_id) > (?, ?)
 order by tenant, event_id
 limit ?`;

/** Above every id. */
const NEWEST = 'f'.repeat(32);

/** The events of one learner, newest first. */
export function learnerReads(database: DatabaseSync): Methods {
  const ofLearner = database.prepare(OF_LEARNER);
  const oneEvent = database.prepare(EVENT);
  return {
    learnerEvents: ({ tenant, learner, before = NEWEST, limit }: LearnerQuery) =>
      ofLearner.all(tenant, learner, before, limit).flatMap((found) => {
        const row = oneEvent.get(tenant, text(found, 'id'));
        if (row === undefined) return [];
        const event = toEventRow(row);
        return [{ event, own: listOrNull<number>(found, 'picks') ?? [...event.actions.keys()] }];
      }),
  };
}

/** Before every event. */
const FIRST: EventRef = { tenant: '', eventId: '' };

type Marked = EventRef & {
  readonly receipt: Id;
  readonly own: readonly number[] | null;
  readonly pending: PendingChoice;
};

function toMarked(row: Row): Marked {
  return {
    tenant: text(row, 'tenant'),
    eventId: text(row, 'event_id'),
    receipt: text(row, 'receipt'),
    own: parse<number[]>(row, 'picks'),
    pending: integer(row, 'cancels') === 1 ? 'cancel' : 'send',
  };
}

/** Erases what is kept of a learner, one step after another. `onCancelled` learns of deliveries that a lane may still send. */
export function eraseWrites(
  database: DatabaseSync,
  onCancelled: (deliveryId: Id) => void,
): Methods {
  const ofLearner = database.prepare(OF_LEARNER);
  const marked = database.prepare(MARKED);
  const eraseOne = eventErasure(database, onCancelled);

  function erase({ tenant, learner, before = NEWEST, limit, ...how }: Erasure): ErasureStep {
    const found = ofLearner.all(tenant, learner, before, limit);
    const events = found.flatMap((row) => {
      const own = listOrNull<number>(row, 'picks');
      return eraseOne({ tenant, eventId: text(row, 'id'), own, ...how });
    });
    const last = found.length === limit ? found.at(-1) : undefined;
    return { events, next: last === undefined ? null : { tenant, eventId: text(last, 'id') } };
  }

  function eraseMarked({ after = FIRST, now, limit }: MarkedErasure): ErasureStep {
    const found = marked.all(after.tenant, after.eventId, limit).map(toMarked);
    const last = found.length === limit ? found.at(-1) : undefined;
    return { events: found.flatMap((each) => eraseOne({ ...each, now })), next: last ?? null };
  }

  return { erase, eraseMarked };
}

function eventErasure(
  database: DatabaseSync,
  onCancelled: (deliveryId: Id) => void,
): (event: Marked & { readonly now: number }) => EventErasure[] {
  const oneEvent = database.prepare(EVENT);
  const deliveriesOf = database.prepare(DELIVERIES);
  const mark = database.prepare(MARK);
  const unmark = database.prepare(UNMARK);
  const cancel = database.prepare(CANCEL);
  const eraseEvent = database.prepare(ERASE_EVENT);
  const eraseKeys = keyErasure(database);
  const eraseAttempts = attemptErasure(database);
  const ordering = order(database);

  function cancelEach(tenant: string, deliveries: readonly EventDelivery[], now: number): void {
    for (const { id, inHand } of deliveries) {
      cancel.run(now, tenant, id);
      ordering.follow(tenant, id);
      if (inHand) onCancelled(id);
    }
  }

  return ({ tenant, eventId, receipt, own, pending, now }) => {
    const row = oneEvent.get(tenant, eventId);
    if (row === undefined) {
      unmark.run(tenant, eventId);
      return [];
    }
    const deliveries = deliveriesOf.all(tenant, eventId).map(toEventDelivery);
    const plan = planErasure(row, deliveries, { own, pending });
    const { concerned, cancelled, waiting, erased } = plan;
    cancelEach(tenant, cancelled, now);
    const done = { tenant, receipt, eventId, cancelled: toOpen(cancelled) };
    if (waiting.length > 0) {
      const picks = JSON.stringify(own ?? [...toEventRow(row).actions.keys()]);
      mark.run(tenant, eventId, receipt, picks, Number(pending === 'cancel'));
      const nothing = { notifications: 0, deliveries: 0, attempts: 0 };
      return [{ ...done, ...nothing, waiting: toOpen(waiting) }];
    }
    eraseEvent.run(plan.payload, JSON.stringify(erased), integer(row, 'seq'));
    const goneKeys = eraseKeys({ tenant, eventId, plan });
    for (const { id } of concerned) ordering.forget(tenant, id, goneKeys);
    const attempts = concerned.reduce((sum, { id }) => sum + eraseAttempts(id), 0);
    unmark.run(tenant, eventId);
    const { notifications } = plan;
    return [{ ...done, notifications, deliveries: concerned.length, attempts, waiting: [] }];
  };
}

type OfEvent = { readonly tenant: string; readonly eventId: Id; readonly plan: ErasurePlan };

/** Takes an event out of the index as far as its notifications are erased; the keys it has no more. */
function keyErasure(database: DatabaseSync): (event: OfEvent) => readonly string[] {
  const keysOf = database.prepare(KEYS);
  const keepKey = database.prepare(KEEP_KEY);
  const dropKey = database.prepare(DROP_KEY);
  const dropUnusedKey = database.prepare(DROP_UNUSED_KEY);

  function eraseKey(row: Row, { eventId, plan }: OfEvent): void {
    const id = integer(row, 'id');
    const left = picksLeft(listOrNull(row, 'picks'), plan);
    if (left !== undefined) return void keepKey.run(left, id, eventId);
    dropKey.run(id, eventId);
    dropUnusedKey.run(id, id);
  }

  return (event) => {
    const { tenant, eventId, plan } = event;
    const rows = keysOf.all(JSON.stringify(plan.keys), tenant, eventId);
    for (const row of rows) eraseKey(row, event);
    const left = new Set(keysOf.all(JSON.stringify(plan.keys), tenant, eventId).map(keyName));
    return plan.keys.filter((key) => !left.has(key));
  };
}

function keyName(row: Row): string {
  return text(row, 'key');
}

/** How many attempts a delivery had, which now say nothing of what was sent and answered. */
function attemptErasure(database: DatabaseSync): (deliveryId: Id) => number {
  const attemptsOf = database.prepare(ATTEMPTS);
  const recordOf = database.prepare(RECORD);
  const eraseAttempt = database.prepare(ERASE_ATTEMPT);
  return (deliveryId) => {
    const attempts = attemptsOf.all(deliveryId).map((row) => integer(row, 'seq'));
    // One at a time: each may be long.
    for (const seq of attempts)
      eraseAttempt.run(erasedRecord(text(recordOf.get(seq) ?? {}, 'record')), seq);
    return attempts.length;
  };
}
