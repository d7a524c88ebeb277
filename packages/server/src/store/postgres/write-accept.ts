import type { Id } from '../../core/id.ts';
import { registrationKey } from '../../core/registration.ts';
import { shardOf } from '../../core/shard.ts';
import type { Acceptance, Arrival, Earlier, Idempotency, Publication } from '../port.ts';
import { type Row, stateCode, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { toPayload } from './listener.ts';
import { FENCE, type Place } from './place.ts';
import { EVENTS_A_ROW } from './unindexed.ts';
import { enrol, type Enrolment, lockOrder, takePlaces } from './write-order.ts';

/** Owners are numbered as their counters are sorted: joining the two would take the square of the time. */
const SEQUENCE =
  '(array(select last from numbers order by tenant, registration_id))[owner] + before_last';

const ACCEPT: Statement = {
  name: 'accept',
  text: `
with ${FENCE},
stale as materialized (
  select 1
    from configuration
   where version <> $28::bigint),
keys as (
  select *
    from unnest($3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
      as k (publication, tenant, key, hash, answer, at)),
fresh as (
  insert into idempotency (tenant, key, hash, answer, at)
  select tenant, key, hash, answer, at
    from keys
   where not exists (select from stale)
      on conflict (tenant, key) do nothing
  returning tenant, key),
refused as materialized (
  select k.publication
    from keys k
    left join fresh f
      on f.tenant = k.tenant
     and f.key = k.key
   where f.key is null),
new_events as (
  insert into events (tenant, id, accepted_at, occurred_at, actions, payload, trace)
  select tenant, id, accepted_at, occurred_at, actions, payload, trace
    from unnest($9::int[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[],
                $30::text[])
      as e (publication, tenant, id, accepted_at, occurred_at, actions, payload, trace)
   where publication not in (select publication from refused)
     and not exists (select from stale)
  returning tenant, id),
to_index as (
  insert into unindexed_events (tenant, id, ids)
  select tenant, min(id), array_agg(id order by id)
    from (select tenant, id, (row_number() over (partition by tenant order by id) - 1) / ${EVENTS_A_ROW} as part
            from new_events) e
   group by tenant, part),
accepted as materialized (
  select d.*,
         dense_rank() over (order by tenant collate "C", registration_id collate "C") as owner,
         row_number() over (partition by tenant collate "C", registration_id collate "C" order by place)
           - count(*) over (partition by tenant collate "C", registration_id collate "C") as before_last
    from unnest($16::int[], $17::text[], $18::text[], $19::text[], $20::text[], $21::smallint[],
                $22::smallint[], $23::bool[], $24::bigint[], $25::text[], $26::text[], $27::bigint[]) with ordinality
      as d (publication, tenant, id, event_id, registration_id, shard, state, leased, due_at, picks, order_keys, order_seq, place)
   where publication not in (select publication from refused)
     and not exists (select from stale)),
numbers as (
  insert into sequences as s (tenant, registration_id, last)
  select tenant, registration_id, count(*)
    from accepted
   group by owner, tenant, registration_id
   order by owner
      on conflict (tenant, registration_id) do update
     set last = s.last + excluded.last
  returning tenant, registration_id, last),
new_deliveries as (
  insert into deliveries (tenant, id, event_id, registration_id, shard, state, leased, due_at, picks,
                          order_keys, order_seq, sequence)
  select tenant, id, event_id, registration_id, shard, state,
         case when leased and exists (select from fence) then $2::bigint else 0 end, due_at, picks,
         order_keys, order_seq,
         ${SEQUENCE}
    from accepted)
select array(select ${SEQUENCE} from accepted order by place) as numbers,
       array(select publication from refused) as refused,
       exists (select from fence) as fenced,
       exists (select from stale) as stale,
       case when $29 <> '' and not exists (select from stale)
            then pg_notify('schoolbell', $29) end as told`,
};

const FIND_KEYS: Statement = {
  name: 'find keys',
  text: `
select i.tenant, i.key, i.hash, i.answer
  from unnest($1::text[], $2::text[]) as k (tenant, key)
  join idempotency i
    on i.tenant = k.tenant
   and i.key = k.key`,
};

type Column = unknown[];
type KeyColumns = readonly [Column, Column, Column, Column, Column, Column];

/** Writes events with their deliveries, all publications in one statement. */
export async function accept(
  place: Place,
  batch: readonly Publication[],
  version: number | null,
): Promise<readonly Acceptance[]> {
  const first = firstOfKeys(batch);
  const lease = place.leases.next(place.epoch());
  const written = batch.map((publication) => first.get(keyOf(publication)) ?? publication);
  const unique = batch.filter((publication, index) => written[index] === publication);
  const { refused, stale, fenced, numbers } = await write(place, unique, { lease, version });
  if (stale) return batch.map(() => ({ kind: 'stale' }));
  const unleased = fenced ? {} : ({ unleased: true } as const);
  let taken = 0;
  const accepted = ({ events }: Publication): Acceptance => {
    const from = taken;
    for (const { deliveries } of events) taken += deliveries.length;
    return { kind: 'accepted', numbers: numbers.slice(from, taken), ...unleased };
  };
  const answers = await storedAnswers(place, [...refused]);
  place.recent.add(unique.filter((publication) => !refused.has(publication)));
  return batch.map((publication, index) => {
    const kept = written[index] ?? publication;
    if (kept === publication && !refused.has(publication)) return accepted(publication);
    const own = kept.idempotency;
    return repeated(
      publication.idempotency?.hash,
      answers.get(keyOf(kept)) ?? { hash: own?.hash, answer: own?.answer },
    );
  });
}

/** Within a batch too the first call with a key is the one that counts. */
function firstOfKeys(batch: readonly Publication[]): Map<string | null, Publication> {
  const first = new Map<string | null, Publication>();
  for (const publication of batch) {
    const key = keyOf(publication);
    if (key !== null && !first.has(key)) first.set(key, publication);
  }
  return first;
}

function keyOf({ idempotency }: Publication): string | null {
  return idempotency === null ? null : `${idempotency.tenant}/${idempotency.key}`;
}

/** What comes of a key that was used before; undefined for a new one. */
export async function earlier(
  database: Database,
  { tenant, key, hash }: Pick<Idempotency, 'tenant' | 'key' | 'hash'>,
): Promise<Earlier | undefined> {
  const [row] = await database.query(FIND_KEYS, [[tenant], [storedKey(key)]]);
  if (row === undefined) return undefined;
  return repeated(hash, { hash: text(row, 'hash'), answer: text(row, 'answer') });
}

function repeated(
  hash: string | undefined,
  stored: { hash: string | undefined; answer: string | undefined },
): Earlier {
  if (hash !== stored.hash) return { kind: 'conflict' };
  return { kind: 'repeated', answer: stored.answer ?? '' };
}

type Written = {
  /** Those of the publications whose key is in the store already; the others were written. */
  readonly refused: ReadonlySet<Publication>;
  readonly stale: boolean;
  /** True when the node was a member until the commit. */
  readonly fenced: boolean;
  /** Of what was written, in order. */
  readonly numbers: readonly number[];
};

async function write(
  { database, epoch, owns, leases }: Place,
  batch: readonly Publication[],
  { lease, version }: { readonly lease: number; readonly version: number | null },
): Promise<Written> {
  const values = [epoch(), lease, ...keyColumns(batch), ...eventColumns(batch)];
  const rest = [version, messageTo(batch, owns, version), tracesOf(batch)];
  const insert = async (query: Query, placeOf: Places): Promise<Written> => {
    const [row] = await query(ACCEPT, [...values, ...deliveryColumns(batch, placeOf), ...rest]);
    const refused = (row?.['refused'] ?? []) as number[];
    return {
      refused: new Set(batch.filter((_, index) => refused.includes(index))),
      stale: row?.['stale'] === true,
      fenced: row?.['fenced'] === true,
      numbers: ((row?.['numbers'] ?? []) as unknown[]).map(Number),
    };
  };
  const ordered = orderedIn(batch);
  try {
    if (ordered.length === 0) return await insert(database.query.bind(database), new Map());
    return await database.transaction(async (query) => {
      await lockOrder(
        query,
        ordered.map(({ tenant }) => tenant),
      );
      const places = await takePlaces(query, ordered.length);
      const placeOf = new Map(ordered.map(({ id }, index) => [id, places[index] ?? 0]));
      const written = await insert(query, placeOf);
      if (written.stale) return written;
      const fresh = batch.filter((publication) => !written.refused.has(publication));
      await enrol(query, orderedIn(fresh), placeOf);
      return written;
    });
  } catch (error) {
    // It may have been committed all the same, with leases that nobody holds.
    leases.lose(lease);
    throw error;
  }
}

/** What other nodes are to send: one message a commit, empty where there is nothing. */
function messageTo(
  batch: readonly Publication[],
  owns: Place['owns'],
  version: number | null,
): string {
  const arrivals = new Map<string, Arrival & { readonly deliveryIds: Id[] }>();
  for (const { tenant, deliveries } of batch.flatMap(({ events }) => events)) {
    for (const { id, registrationId, state } of deliveries) {
      const ref = { tenant, id: registrationId };
      if (owns(shardOf(ref))) continue;
      const key = registrationKey(ref);
      const arrival = arrivals.get(key) ?? { ...ref, deliveryIds: [] };
      arrivals.set(key, arrival);
      if (state === 'pending') arrival.deliveryIds.push(id);
    }
  }
  if (arrivals.size === 0) return '';
  const arrived = [...arrivals.values()];
  const wake = arrived.map(({ tenant, id }) => ({ tenant, id }));
  return version === null ? toPayload({ wake }) : toPayload({ arrived, version }, { wake });
}

type Places = ReadonlyMap<string, number>;

/** In order of acceptance. */
function orderedIn(batch: readonly Publication[]): Enrolment[] {
  return batch.flatMap(({ events }) =>
    events.flatMap(({ tenant, deliveries }) =>
      deliveries.flatMap((one) => (one.orderKeys === null ? [] : [{ tenant, ...one }])),
    ),
  );
}

function keyColumns(batch: readonly Publication[]): KeyColumns {
  const columns: KeyColumns = [[], [], [], [], [], []];
  batch.forEach(({ idempotency }, publication) => {
    if (idempotency === null) return;
    const { tenant, key, hash, answer, at } = idempotency;
    push(columns, [publication, tenant, storedKey(key), hash, answer, at]);
  });
  return columns;
}

/** Keys are any text, and no column can hold a NUL. */
function storedKey(key: string): string {
  return JSON.stringify(key);
}

/** Of the events, in order. */
function tracesOf(batch: readonly Publication[]): (string | null)[] {
  return batch.flatMap(({ events }) => events.map(({ trace = null }) => trace));
}

function eventColumns(batch: readonly Publication[]): Column[] {
  const columns: Column[] = [[], [], [], [], [], [], []];
  batch.forEach(({ events }, publication) => {
    for (const { tenant, id, acceptedAt, occurredAt, actions, payload } of events) {
      const stored = JSON.stringify(actions);
      push(columns, [publication, tenant, id, acceptedAt, occurredAt, stored, payload]);
    }
  });
  return columns;
}

function deliveryColumns(batch: readonly Publication[], placeOf: Places): Column[] {
  const columns: Column[] = Array.from({ length: 12 }, () => []);
  batch.forEach(({ events }, publication) => {
    for (const { tenant, id: eventId, acceptedAt, deliveries } of events) {
      for (const { id, registrationId, state, leased, picks, orderKeys } of deliveries) {
        const shard = shardOf({ tenant, id: registrationId });
        const dueAt = state === 'pending' ? acceptedAt : null;
        const picked = picks === null ? null : JSON.stringify(picks);
        const owner = [publication, tenant, id, eventId, registrationId, shard];
        const keys = orderKeys === null ? null : JSON.stringify(orderKeys);
        const order = [keys, placeOf.get(id) ?? null];
        push(columns, [...owner, stateCode(state), leased, dueAt, picked, ...order]);
      }
    }
  });
  return columns;
}

function push(columns: readonly Column[], values: readonly unknown[]): void {
  values.forEach((value, index) => columns[index]?.push(value));
}

type Stored = { readonly hash: string; readonly answer: string };

async function storedAnswers(
  { database }: Place,
  publications: readonly Publication[],
): Promise<ReadonlyMap<string | null, Stored>> {
  const keys = publications.flatMap(({ idempotency }) => idempotency ?? []);
  if (keys.length === 0) return new Map();
  const rows = await database.query(FIND_KEYS, [
    keys.map(({ tenant }) => tenant),
    keys.map(({ key }) => storedKey(key)),
  ]);
  return new Map(
    rows.map((row) => [keyIn(row), { hash: text(row, 'hash'), answer: text(row, 'answer') }]),
  );
}

function keyIn(row: Row): string {
  return `${text(row, 'tenant')}/${JSON.parse(text(row, 'key')) as string}`;
}
