import type { DatabaseSync } from 'node:sqlite';
import type { Flat, Methods, Value } from './protocol.ts';
import { integer, parse, type Row, text } from '../rows.ts';

const INSERT_KEY = `
insert into order_keys (tenant, registration_id, key, seq, delivery_id)
values (?, ?, ?, ?, ?)`;

/** `+` keeps SQLite from looking the other way round: few rows are mine, a million may be others'. */
const OLDER = `
select 1
  from order_keys mine
  join order_keys other
    on other.tenant = +mine.tenant
   and other.registration_id = mine.registration_id
   and other.key = mine.key
   and (other.seq, other.delivery_id) < (mine.seq, mine.delivery_id)
 where mine.tenant = ?
   and mine.delivery_id = ?
 limit 1`;

const KEYS_OF_DELIVERY = `
select registration_id, key
  from order_keys
 where tenant = ?
   and delivery_id = ?`;

const FIRST_OF_KEY = `
select delivery_id
  from order_keys
 where tenant = ?
   and registration_id = ?
   and key = ?
 order by seq, delivery_id
 limit 1`;

const DELETE_KEYS = `
delete from order_keys
 where tenant = ?
   and delivery_id = ?`;

const DELETE_KEY = `${DELETE_KEYS}
   and key = ?`;

const CHANGE_KEYS = `
update deliveries
   set order_keys = ?
 where tenant = ?
   and id = ?`;

const SOME_OF_REGISTRATION = `
select distinct delivery_id
  from (select delivery_id
          from order_keys
         where tenant = ?
           and registration_id = ?
         limit ?)`;

const FORGET_ORDER = `
update deliveries
   set order_keys = null,
       order_seq = null,
       leased = case leased when -1 then 0 else leased end
 where tenant = ?
   and id = ?`;

/** Only those that are in no lane change their place. */
const PUT_BEHIND = `
update deliveries
   set leased = -1
 where tenant = ?
   and id = ?
   and state = 0
   and leased = 0`;

const LET_GO = `
update deliveries
   set leased = 0
 where tenant = ?
   and id = ?
   and state = 0
   and leased = -1`;

const STATE = `
select state
  from deliveries
 where tenant = ?
   and id = ?`;

const ORDERED_DELIVERY = `
select registration_id, order_keys, order_seq
  from deliveries
 where tenant = ?
   and id = ?
   and order_keys is not null`;

const PENDING = 0;
const HELD = 3;

export type Enrolment = {
  readonly tenant: Value;
  readonly registrationId: Value;
  readonly deliveryId: Value;
  /** Its place among those with a key in common. */
  readonly seq: number;
  /** JSON list. */
  readonly keys: string;
};

/** Keeps which deliveries of ordered registrations may be claimed. Unordered ones cost nothing here. */
export type Order = {
  /** Gives a new delivery its place. */
  readonly enrol: (delivery: Enrolment) => void;
  /** After a change of a delivery: its place follows, and when it has ended others move up. */
  readonly follow: (tenant: Value, deliveryId: Value) => void;
  /** The same for several: tenant and id of each. */
  readonly followEach: (changed: Flat) => void;
  /** Gives a delivery that people retry its old place; what could have been claimed goes behind it. */
  readonly reenrol: (tenant: string, deliveryId: string) => void;
  /** Takes keys from a delivery: what waited for it because of them moves up, and so may itself. */
  readonly forget: (tenant: string, deliveryId: string, keys: readonly string[]) => void;
};

export function order(database: DatabaseSync): Order {
  const insertKey = database.prepare(INSERT_KEY);
  const deleteKeys = database.prepare(DELETE_KEYS);
  const stateOf = database.prepare(STATE);
  const orderedDelivery = database.prepare(ORDERED_DELIVERY);
  const { place, firstOf } = places(database);
  const end = ending(database);

  function enrol({ tenant, registrationId, deliveryId, seq, keys }: Enrolment): void {
    for (const key of JSON.parse(keys) as readonly string[])
      insertKey.run(tenant, registrationId, key, seq, deliveryId);
    place(tenant, deliveryId);
  }

  function follow(tenant: Value, deliveryId: Value): void {
    const row = stateOf.get(tenant, deliveryId);
    const state = row === undefined ? undefined : integer(row, 'state');
    if (state === PENDING) place(tenant, deliveryId);
    else if (state !== HELD) end(tenant, deliveryId);
  }

  function reenrol(tenant: string, deliveryId: string): void {
    const found = orderedDelivery.get(tenant, deliveryId);
    if (found === undefined) return;
    const registrationId = text(found, 'registration_id');
    const keys = parse<string[]>(found, 'order_keys');
    const before = firstOf(
      tenant,
      keys.map((key) => ({ registration_id: registrationId, key })),
    );
    deleteKeys.run(tenant, deliveryId);
    for (const key of keys)
      insertKey.run(tenant, registrationId, key, integer(found, 'order_seq'), deliveryId);
    for (const id of [...before, deliveryId]) place(tenant, id);
  }

  function followEach(changed: Flat): void {
    for (let at = 0; at < changed.length; at += 2)
      follow(changed[at] ?? null, changed[at + 1] ?? null);
  }

  return { enrol, follow, followEach, reenrol, forget: forgetting(database) };
}

function forgetting(database: DatabaseSync): Order['forget'] {
  const orderedDelivery = database.prepare(ORDERED_DELIVERY);
  const changeKeys = database.prepare(CHANGE_KEYS);
  const deleteKey = database.prepare(DELETE_KEY);
  const { firstOf, moveUp } = places(database);
  return (tenant, deliveryId, keys) => {
    const found = orderedDelivery.get(tenant, deliveryId);
    if (found === undefined) return;
    const before = parse<string[]>(found, 'order_keys');
    const left = before.filter((key) => !keys.includes(key));
    if (left.length === before.length) return;
    changeKeys.run(left.length === 0 ? null : JSON.stringify(left), tenant, deliveryId);
    const place = { registration_id: text(found, 'registration_id') };
    const gone = before.filter((key) => keys.includes(key)).map((key) => ({ ...place, key }));
    for (const { key } of gone) deleteKey.run(tenant, deliveryId, key);
    for (const id of [...firstOf(tenant, gone), deliveryId]) moveUp(tenant, id);
  };
}

/** Taking the order from what a registration has: whatever is left half done, nothing waits in vain. */
export function orderWrites(database: DatabaseSync): Methods {
  const someOfRegistration = database.prepare(SOME_OF_REGISTRATION);
  const forgetOrder = database.prepare(FORGET_ORDER);
  const end = ending(database);
  return {
    unorder: (tenant: string, registrationId: string, limit: number) => {
      const found = someOfRegistration.all(tenant, registrationId, limit);
      for (const row of found) {
        const id = text(row, 'delivery_id');
        end(tenant, id);
        forgetOrder.run(tenant, id);
      }
      return found.length > 0;
    },
  };
}

function places(database: DatabaseSync): {
  /** Puts a delivery that could be claimed behind those it waits for, if there are any. */
  readonly place: (tenant: Value, deliveryId: Value) => void;
  /** Lets a delivery be claimed if it waits for none any more. */
  readonly moveUp: (tenant: Value, deliveryId: Value) => void;
  /** The first delivery of each key: those whose turn it may be. */
  readonly firstOf: (tenant: Value, keys: readonly Row[]) => Set<string>;
} {
  const older = database.prepare(OLDER);
  const putBehind = database.prepare(PUT_BEHIND);
  const letGo = database.prepare(LET_GO);
  const firstOfKey = database.prepare(FIRST_OF_KEY);
  return {
    place: (tenant, deliveryId) => {
      if (older.get(tenant, deliveryId) !== undefined) putBehind.run(tenant, deliveryId);
    },
    moveUp: (tenant, deliveryId) => {
      if (older.get(tenant, deliveryId) === undefined) letGo.run(tenant, deliveryId);
    },
    firstOf: (tenant, keys) => {
      const first = new Set<string>();
      for (const row of keys) {
        const found = firstOfKey.get(tenant, text(row, 'registration_id'), text(row, 'key'));
        if (found !== undefined) first.add(text(found, 'delivery_id'));
      }
      return first;
    },
  };
}

/** Takes a delivery out of the order; those whose turn that makes it can be claimed. */
function ending(database: DatabaseSync): (tenant: Value, deliveryId: Value) => void {
  const keysOfDelivery = database.prepare(KEYS_OF_DELIVERY);
  const deleteKeys = database.prepare(DELETE_KEYS);
  const { firstOf, moveUp } = places(database);
  return (tenant, deliveryId) => {
    const keys = keysOfDelivery.all(tenant, deliveryId);
    deleteKeys.run(tenant, deliveryId);
    for (const first of firstOf(tenant, keys)) moveUp(tenant, first);
  };
}
