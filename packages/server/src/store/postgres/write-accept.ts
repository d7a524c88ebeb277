import type { Acceptance, Earlier, Idempotency, Publication } from '../port.ts';
import { type Row, text } from '../rows.ts';
import {
  deliveryColumns,
  eventColumns,
  keyColumns,
  type Places,
  storedKey,
  storedPicks,
  tracesOf,
} from './accept-columns.ts';
import type { Database, Query, Statement } from './database.ts';
import { messageTo } from './arrivals.ts';
import { handRowsOf, type HandRows } from './in-hand.ts';
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
   where version <> $29::bigint),
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
                $31::text[])
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
                $22::smallint[], $23::int[], $24::bigint[], $25::text[], $26::text[], $27::bigint[], $28::bool[]) with ordinality
      as d (publication, tenant, id, event_id, registration_id, shard, state, part, due_at, picks, order_keys, order_seq, leased, place)
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
in_hand as (
  insert into deliveries_in_hand
         (tenant, batch, part, leased, posted_to, ids, event_ids, registration_ids, shards, due_at, picks, sequences)
  select tenant, $2::bigint, part, case when leased then $2::bigint else 0 end,
         case when not leased then min(registration_id) end, array_agg(id), array_agg(event_id), array_agg(registration_id),
         array_agg(shard), array_agg(due_at), array_agg(picks), array_agg(sequence)
    from (select *, ${SEQUENCE} as sequence
            from accepted
           where part is not null
             and (not leased or exists (select from fence))
           order by place) a
   group by tenant, part, leased),
new_deliveries as (
  insert into deliveries (tenant, id, event_id, registration_id, shard, state, due_at, picks,
                          order_keys, order_seq, sequence)
  select tenant, id, event_id, registration_id, shard, state, due_at, picks,
         order_keys, order_seq,
         ${SEQUENCE}
    from accepted
   where part is null
      or (leased and not exists (select from fence)))
select array(select ${SEQUENCE} from accepted order by place) as numbers,
       array(select publication from refused) as refused,
       exists (select from fence) as fenced,
       exists (select from stale) as stale,
       case when $30 <> '' and not exists (select from stale)
            then pg_notify('schoolbell', $30) end as told`,
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
  const rowOf = handRowsOf(lease, unique, place.owns);
  const { refused, stale, fenced, numbers } = await write(place, unique, { lease, version, rowOf });
  if (stale) return batch.map(() => ({ kind: 'stale' }));
  const unleased = fenced ? {} : ({ unleased: true } as const);
  let taken = 0;
  const accepted = ({ events }: Publication): Acceptance => {
    const from = taken;
    for (const { deliveries } of events) taken += deliveries.length;
    return { kind: 'accepted', numbers: numbers.slice(from, taken), ...unleased };
  };
  const answers = await storedAnswers(place, [...refused]);
  const fresh = unique.filter((publication) => !refused.has(publication));
  place.recent.add(fresh);
  if (fenced) putInHand(place, fresh, { numbers, rowOf });
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

/** What was leased ends without being read again. */
function putInHand(
  { inHand }: Place,
  fresh: readonly Publication[],
  { numbers, rowOf }: { readonly numbers: readonly number[]; readonly rowOf: HandRows },
): void {
  let taken = 0;
  for (const { id: eventId, deliveries } of fresh.flatMap(({ events }) => events)) {
    for (const { id, registrationId, leased, picks } of deliveries) {
      const sequence = numbers[taken++] ?? 0;
      const row = rowOf.get(id);
      if (row === undefined || !leased) continue;
      inHand.add(id, { row, eventId, registrationId, picks: storedPicks(picks), sequence });
    }
  }
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

/** What a batch is written under. */
type Under = { readonly lease: number; readonly version: number | null; readonly rowOf: HandRows };

async function write(
  { database, epoch, owns, leases }: Place,
  batch: readonly Publication[],
  { lease, version, rowOf }: Under,
): Promise<Written> {
  const values = [epoch(), lease, ...keyColumns(batch), ...eventColumns(batch)];
  const rest = [version, messageTo(batch, { owns, rowOf, version }), tracesOf(batch)];
  const insert = async (query: Query, placeOf: Places): Promise<Written> => {
    const deliveries = deliveryColumns(batch, placeOf, rowOf);
    const [row] = await query(ACCEPT, [...values, ...deliveries, ...rest]);
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

/** In order of acceptance. */
function orderedIn(batch: readonly Publication[]): Enrolment[] {
  return batch.flatMap(({ events }) =>
    events.flatMap(({ tenant, deliveries }) =>
      deliveries.flatMap((one) => (one.orderKeys === null ? [] : [{ tenant, ...one }])),
    ),
  );
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
