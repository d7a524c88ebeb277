import { ERASED_REASON } from '../../core/erasing.ts';
import type { Id } from '../../core/id.ts';
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
import type { EventErasure, EventRef, PendingChoice } from '../erasure.ts';
import { integer, parse, text, toEventRow } from '../rows.ts';
import type { Query, Statement } from './database.ts';
import { isText } from './keys.ts';
import { ANY_STATE } from './rows-of-deliveries.ts';
import { noteUnscrubbed } from './scrub.ts';
import { EVENT_COLUMNS } from './search-events.ts';
import { cancelled } from './write-deliveries.ts';
import { follow, lockOrder } from './write-order.ts';
import { forgetOrder } from './write-order-forget.ts';

const LOCK_EVENT: Statement = {
  name: 'lock event',
  text: `${EVENT_COLUMNS}
  from events e
 where e.tenant = $1
   and e.id = $2
   for no key update`,
};

/** About what belongs to one event; `more` stands behind what says so. */
function ofEvent(name: string, sql: string, more = ''): Statement {
  return { name, text: `${sql} where tenant = $1 and event_id = $2 ${more}` };
}

const WAITING = ofEvent(
  'waiting of event',
  `
select id, registration_id, state, picks, order_keys,
       case when exists (select from nodes where epoch = leased >> 32) then leased else 0 end as leased
  from deliveries`,
  `and ${ANY_STATE} for update`,
);
const ENDED = ofEvent(
  'ended of event',
  'select id, registration_id, state, 0 as leased, picks, order_keys from ended_deliveries',
);

const TAKE = `
with gone as (
  delete from deliveries
   where tenant = $1
     and id = any($2)
  returning *)`;
const CANCEL: Statement = {
  name: 'cancel erased',
  text: TAKE + cancelled({ at: '$3', reason: `'${ERASED_REASON}'` }),
};
/** Whoever is claiming these with the payload as it was finds other rows. */
const RENEW: Statement = {
  name: 'renew rows',
  text: `${TAKE}
insert into deliveries
select *
  from gone`,
};

const ERASE_EVENT: Statement = {
  name: 'erase event',
  text: 'update events set payload = $3, erased = $4 where tenant = $1 and id = $2',
};

const ATTEMPTS: Statement = {
  name: 'attempts to erase',
  text: 'select number, started_at from attempts where tenant = $1 and delivery_id = $2',
};
const ONE_ATTEMPT = 'where tenant = $1 and delivery_id = $2 and number = $3 and started_at = $4';
const RECORD: Statement = {
  name: 'record of attempt',
  text: `select record from attempts ${ONE_ATTEMPT}`,
};
const ERASE_ATTEMPT: Statement = {
  name: 'erase attempt',
  text: `update attempts set record = $5 ${ONE_ATTEMPT}`,
};

const KEYS = ofEvent('keys to erase', 'select key, picks from event_keys', 'and key = any($3)');
const DROP_KEYS = ofEvent('drop keys', 'delete from event_keys', 'and key = any($3)');
const KEEP_KEY = ofEvent('keep key', 'update event_keys set picks = $4', 'and key = $3');

const MARK_OF = ofEvent('mark of event', 'select picks, cancels from erasures');
const MARK: Statement = {
  name: 'mark event',
  text: `
insert into erasures (tenant, event_id, receipt, picks, cancels)
values ($1, $2, $3, $4, $5)
    on conflict (tenant, event_id) do update
   set receipt = $3, picks = $4, cancels = $5`,
};
const UNMARK = ofEvent('unmark event', 'delete from erasures');

/** An event, and what is to be erased of it. */
export type Marked = EventRef & {
  readonly receipt: Id;
  readonly own: readonly number[] | null;
  readonly pending: PendingChoice;
};

/** Undefined where the event is gone. Deliveries are locked, so that nobody claims what is erased meanwhile. */
export async function eraseOne(
  query: Query,
  { tenant, eventId, receipt, own, pending }: Marked,
  now: number,
): Promise<EventErasure | undefined> {
  await lockOrder(query, [tenant]);
  const [row] = await query(LOCK_EVENT, [tenant, eventId]);
  if (row === undefined) {
    await query(UNMARK, [tenant, eventId]);
    return undefined;
  }
  const rows = [
    ...(await query(WAITING, [tenant, eventId])),
    ...(await query(ENDED, [tenant, eventId])),
  ];
  const plan = planErasure(row, rows.map(toEventDelivery), { own, pending });
  await cancelEach(query, tenant, plan.cancelled, now);
  const done = { tenant, receipt, eventId, cancelled: toOpen(plan.cancelled) };
  if (plan.waiting.length > 0) {
    const all = own ?? [...toEventRow(row).actions.keys()];
    await mark(query, { tenant, eventId, receipt, own: all, pending });
    const nothing = { notifications: 0, deliveries: 0, attempts: 0 };
    return { ...done, ...nothing, waiting: toOpen(plan.waiting) };
  }
  const attempts = await eraseWhole(query, { tenant, eventId, plan });
  const { notifications, concerned } = plan;
  return { ...done, notifications, deliveries: concerned.length, attempts, waiting: [] };
}

type OfEvent = EventRef & { readonly plan: ErasurePlan };

/** The event, and all that hangs on it; how many attempts. */
async function eraseWhole(query: Query, event: OfEvent): Promise<number> {
  const { tenant, eventId, plan } = event;
  await query(ERASE_EVENT, [tenant, eventId, plan.payload, JSON.stringify(plan.erased)]);
  const goneKeys = await eraseKeys(query, event);
  const goOn = plan.concerned.filter(
    (each) => each.open !== undefined && !plan.cancelled.includes(each),
  );
  await query(RENEW, [tenant, goOn.map(({ id }) => id)]);
  let attempts = 0;
  for (const each of plan.concerned) {
    await forgetOrder(query, tenant, each, goneKeys);
    attempts += await eraseAttempts(query, tenant, each.id);
  }
  await query(UNMARK, [tenant, eventId]);
  await noteUnscrubbed(query, [eventId, ...plan.concerned.map(({ id }) => id)]);
  return attempts;
}

async function cancelEach(
  query: Query,
  tenant: string,
  deliveries: readonly EventDelivery[],
  now: number,
): Promise<void> {
  if (deliveries.length === 0) return;
  await query(CANCEL, [tenant, deliveries.map(({ id }) => id), now]);
  await follow(
    query,
    deliveries.map(({ id }) => ({ tenant, id })),
  );
}

/** Takes the event out of the index as far as its notifications are erased; the keys it has no more. */
async function eraseKeys(
  query: Query,
  { tenant, eventId, plan }: OfEvent,
): Promise<readonly string[]> {
  const rows = await query(KEYS, [tenant, eventId, plan.keys.filter(isText)]);
  const kept = new Map<string, string>();
  for (const row of rows) {
    const left = picksLeft(listOrNull(row, 'picks'), plan);
    if (left !== undefined) kept.set(text(row, 'key'), left);
  }
  const gone = plan.keys.filter((key) => !kept.has(key));
  await query(DROP_KEYS, [tenant, eventId, gone.filter(isText)]);
  for (const [key, picks] of kept) await query(KEEP_KEY, [tenant, eventId, key, picks]);
  return gone;
}

/** One at a time: each may be long. */
async function eraseAttempts(query: Query, tenant: string, deliveryId: Id): Promise<number> {
  const attempts = await query(ATTEMPTS, [tenant, deliveryId]);
  for (const row of attempts) {
    const key = [tenant, deliveryId, integer(row, 'number'), integer(row, 'started_at')];
    const [found = {}] = await query(RECORD, key);
    await query(ERASE_ATTEMPT, [...key, erasedRecord(text(found, 'record'))]);
  }
  return attempts.length;
}

/** What is marked twice is erased as both wanted it. */
async function mark(query: Query, marked: Marked): Promise<void> {
  const { tenant, eventId, receipt, own, pending } = marked;
  const [before] = await query(MARK_OF, [tenant, eventId]);
  const picks = before === undefined ? own : [...parse<number[]>(before, 'picks'), ...(own ?? [])];
  const cancels = pending === 'cancel' || before?.['cancels'] === true;
  await query(MARK, [tenant, eventId, receipt, JSON.stringify([...new Set(picks)]), cancels]);
}
