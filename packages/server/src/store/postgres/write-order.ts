import { shardOf } from '../../core/shard.ts';
import type { NewDelivery } from '../port.ts';
import { integer, parse, type Row, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { isRowOf } from './rows-of-deliveries.ts';

/**
 * Who changes the order of a tenant's deliveries does so alone until its commit: what is accepted
 * while an elder ends would else wait for what nobody sees end. Taken before any row is.
 */
const LOCK: Statement = {
  name: 'lock order',
  text: `
select pg_advisory_xact_lock(836500004, hashtext(tenant))
  from (select tenant
          from unnest($1::text[]) as t (tenant)
         order by hashtext(tenant)) t`,
};

const PLACES: Statement = {
  name: 'order places',
  text: `select nextval('order_places') as place from generate_series(1, $1)`,
};

const ENROL: Statement = {
  name: 'enrol',
  text: `
insert into order_keys (tenant, registration_id, key, seq, delivery_id)
select *
  from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
    on conflict do nothing`,
};

/**
 * True of a delivery d that waits for an older one. Limits keep PostgreSQL from joining a whole
 * queue: one key may have a million; so does "+ 0", which no index answers.
 */
const IS_BEHIND = `
(select count(*)
   from (select
           from order_keys mine
          cross join lateral (
                select
                  from order_keys
                 where tenant = mine.tenant
                   and registration_id = mine.registration_id
                   and key = mine.key
                   and seq < mine.seq
                 limit 1) older
          where mine.tenant = d.tenant
            and mine.delivery_id = d.id
          limit 1) b) > 0`;

/** A lane that has one sends it all the same: it is behind once it is given back. */
const PLACE: Statement = {
  name: 'place in order',
  text: `
with chosen as materialized (
  select d.tenant, d.id
    from unnest($1::text[], $2::text[]) as g (tenant, id)
   cross join lateral (
         select tenant, id
           from deliveries
          where tenant = g.tenant
            and id = g.id
            and state + 0 = 0
            and not behind
          limit 1
            for no key update) d
   where ${IS_BEHIND})
update deliveries d
   set behind = true
  from chosen c
 where ${isRowOf('c')}`,
};

/** What ended is among the waiting no more. */
const END: Statement = {
  name: 'end in order',
  text: `
delete from order_keys o
 using unnest($1::text[], $2::text[]) as g (tenant, id)
 where o.tenant = g.tenant
   and o.delivery_id = g.id
   and not exists (
       select
         from deliveries d
        where d.tenant = g.tenant
          and d.id = g.id)
returning o.tenant, o.registration_id, o.key`,
};

/** The first of each key can be claimed when it waits for none by its other keys. */
const MOVE_UP: Statement = {
  name: 'move up in order',
  text: `
with chosen as materialized (
  select distinct d.tenant, d.id
    from unnest($1::text[], $2::text[], $3::text[]) as k (tenant, registration_id, key)
   cross join lateral (
         select delivery_id
           from order_keys
          where tenant = k.tenant
            and registration_id = k.registration_id
            and key = k.key
          order by seq
          limit 1) f
   cross join lateral (
         select tenant, id
           from deliveries
          where tenant = k.tenant
            and id = f.delivery_id
            and state + 0 = 0
            and behind
          limit 1
            for no key update) d
   where not (${IS_BEHIND}))
update deliveries d
   set behind = false
  from chosen c
 where ${isRowOf('c')}`,
};

const ORDER_OF: Statement = {
  name: 'order of',
  text: `
select registration_id, order_keys, order_seq
  from deliveries
 where tenant = $1
   and id = $2
   and order_keys is not null`,
};

/** Those at the head of each key but for one delivery. */
const HEADS: Statement = {
  name: 'heads of order',
  text: `
select f.delivery_id
  from unnest($3::text[]) as k (key)
 cross join lateral (
       select delivery_id
         from order_keys
        where tenant = $1
          and registration_id = $2
          and key = k.key
          and delivery_id <> $4
        order by seq
        limit 1) f`,
};

const TAKE_SOME: Statement = {
  name: 'take order',
  text: `
with few as materialized (
  select distinct tenant, delivery_id as id
    from (select tenant, delivery_id
            from order_keys
           where tenant = $1
             and registration_id = $2
           limit $3) s),
forgotten as (
  update deliveries d
     set order_keys = null, order_seq = null, behind = false
    from few s
   where ${isRowOf('s')})
delete from order_keys o
 using few s
 where o.tenant = $1
   and o.delivery_id = s.id
returning o.tenant, o.registration_id, o.key`,
};

const ORDERED: Statement = {
  name: 'ordered',
  text: `
with recursive owners as (
  (select tenant, registration_id
     from order_keys
    order by tenant, registration_id
    limit 1)
   union all
  select o.tenant, o.registration_id
    from owners b
   cross join lateral (
         select tenant, registration_id
           from order_keys
          where (tenant, registration_id) > (b.tenant, b.registration_id)
          order by tenant, registration_id
          limit 1) o)
select tenant, registration_id
  from owners`,
};

export type DeliveryRef = { readonly tenant: string; readonly id: string };

export async function lockOrder(query: Query, tenants: Iterable<string>): Promise<void> {
  await query(LOCK, [[...new Set(tenants)]]);
}

/** As many places as asked for, behind all there are. */
export async function takePlaces(query: Query, count: number): Promise<readonly number[]> {
  return (await query(PLACES, [count])).map((row) => integer(row, 'place'));
}

/** A new delivery with an order. */
export type Enrolment = DeliveryRef & Pick<NewDelivery, 'registrationId' | 'orderKeys'>;

/** Gives new deliveries their places. */
export async function enrol(
  query: Query,
  deliveries: readonly Enrolment[],
  placeOf: ReadonlyMap<string, number>,
): Promise<void> {
  const columns: unknown[][] = [[], [], [], [], []];
  for (const { tenant, id, registrationId, orderKeys } of deliveries) {
    for (const key of orderKeys ?? []) {
      const values = [tenant, registrationId, storedKey(key), placeOf.get(id), id];
      values.forEach((value, index) => columns[index]?.push(value));
    }
  }
  await query(ENROL, columns);
  await place(query, deliveries);
}

/** Puts those behind that wait for an older one. */
export async function place(query: Query, deliveries: readonly DeliveryRef[]): Promise<void> {
  await query(PLACE, columnsOf(deliveries));
}

/** After a change of these deliveries: their places follow, and for what ended others move up. */
export async function follow(query: Query, changed: readonly DeliveryRef[]): Promise<void> {
  if (changed.length === 0) return;
  await query(PLACE, columnsOf(changed));
  await moveUp(query, await query(END, columnsOf(changed)));
}

/** Gives a delivery that people retry its old place; what could have been claimed goes behind it. */
export async function reenrol(query: Query, { tenant, id }: DeliveryRef): Promise<void> {
  const [row] = await query(ORDER_OF, [tenant, id]);
  if (row === undefined) return;
  const registrationId = text(row, 'registration_id');
  const keys = parse<string[]>(row, 'order_keys').map(storedKey);
  const all = <T>(value: T): T[] => keys.map(() => value);
  const seq = integer(row, 'order_seq');
  await query(ENROL, [all(tenant), all(registrationId), keys, all(seq), all(id)]);
  const heads = await query(HEADS, [tenant, registrationId, keys, id]);
  const placed = heads.map((head) => ({ tenant, id: text(head, 'delivery_id') }));
  await query(PLACE, columnsOf([...placed, { tenant, id }]));
}

/** False when nothing of this registration has an order. */
export function unorder(
  database: Database,
  owner: { readonly tenant: string; readonly registrationId: string },
  limit: number,
): Promise<boolean> {
  const { tenant, registrationId } = owner;
  return database.transaction(async (query) => {
    await lockOrder(query, [tenant]);
    const keys = await query(TAKE_SOME, [tenant, registrationId, limit]);
    await moveUp(query, keys);
    return keys.length > 0;
  });
}

/** Registrations in these shards with deliveries that have an order. */
export async function orderedOwners(
  database: Database,
  shards: readonly number[],
): Promise<{ tenant: string; registrationId: string }[]> {
  const mine = new Set(shards);
  const rows = await database.query(ORDERED);
  return rows
    .map((row) => ({ tenant: text(row, 'tenant'), registrationId: text(row, 'registration_id') }))
    .filter(({ tenant, registrationId: id }) => mine.has(shardOf({ tenant, id })));
}

export async function moveUp(query: Query, keys: readonly Row[]): Promise<void> {
  if (keys.length === 0) return;
  const column = (name: string): string[] => keys.map((row) => text(row, name));
  await query(MOVE_UP, [column('tenant'), column('registration_id'), column('key')]);
}

function columnsOf(deliveries: readonly DeliveryRef[]): string[][] {
  return [deliveries.map(({ tenant }) => tenant), deliveries.map(({ id }) => id)];
}

/** Keys are any text, and no column can hold a NUL. */
export function storedKey(key: string): string {
  return JSON.stringify(key);
}
