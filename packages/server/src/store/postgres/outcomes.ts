import { createHash } from 'node:crypto';
import { explain, type Explanation } from '../../core/explain.ts';
import { MAX_OUTCOMES, type Settlement } from '../port.ts';
import type { Database, Query, Statement } from './database.ts';

/** Those that are new, as far as a tenant has room for more. */
const NOTE: Statement = {
  name: 'note outcomes',
  text: `
with given as (
  select distinct on (tenant, id) *
    from unnest($1::text[], $2::bigint[], $3::text[], $4::int[], $5::text[])
      as g (tenant, id, class, status, sentence)
   order by tenant, id),
fresh as (
  select g.*, row_number() over (partition by g.tenant order by g.id) as number
    from given g
   where not exists (select from outcomes o where o.tenant = g.tenant and o.id = g.id))
insert into outcomes (tenant, id, class, status, sentence)
select tenant, id, class, status, sentence
  from fresh f
 where number + (select count(*) from outcomes o where o.tenant = f.tenant) <= $6
 order by tenant, id
    on conflict do nothing`,
};

/** What an attempt came to, as it is searched. */
export type Told = {
  readonly tenant: string;
  /** A hash of the rest. */
  readonly id: string;
  readonly class: string;
  readonly status: number | null;
  readonly sentence: string;
};

/** What this process has noted already, most of what comes; bounded by starting anew. */
const MAX_KNOWN = 10_000;
const known = new WeakMap<Database, Set<string>>();

/** Writes the sentences of attempts down before the deliveries that name them. */
export async function noteOutcomes(
  database: Database,
  batch: readonly Settlement[],
): Promise<void> {
  const noted = known.get(database) ?? new Set<string>();
  known.set(database, noted);
  const fresh = batch.map(tell).filter((told) => !noted.has(keyOf(told)));
  if (fresh.length === 0) return;
  await noteTold(database.query.bind(database), fresh);
  if (noted.size + fresh.length > MAX_KNOWN) noted.clear();
  for (const told of fresh) noted.add(keyOf(told));
}

/** The same for what is told already. */
export async function noteTold(query: Query, told: readonly Told[]): Promise<void> {
  await query(NOTE, [
    told.map(({ tenant }) => tenant),
    told.map(({ id }) => id),
    told.map((each) => each.class),
    told.map(({ status }) => status),
    told.map(({ sentence }) => sentence),
    MAX_OUTCOMES,
  ]);
}

/** Class, status and id. */
export function outcomeColumns(part: readonly Settlement[]): unknown[][] {
  const told = part.map(tell);
  return [
    told.map((each) => each.class),
    told.map(({ status }) => status),
    told.map(({ id }) => id),
  ];
}

function keyOf({ tenant, id }: Told): string {
  return `${tenant}/${id}`;
}

/** Of explanations that are made once, what is kept of them: hashing costs more than all else that is told here. */
const kept = new WeakMap<Explanation, Omit<Told, 'tenant'>>();

function tell({ tenant, attempt: { outcome } }: Settlement): Told {
  const explanation = explain(outcome);
  let told = kept.get(explanation);
  if (told === undefined) {
    const { class: kind, sentence } = explanation;
    const status = outcome.kind === 'response' ? outcome.status : null;
    told = withId({ class: kind, status, sentence });
    kept.set(explanation, told);
  }
  return { tenant, ...told };
}

/** With its id, and a sentence that a column can hold. */
export function withId<T extends Omit<Told, 'id' | 'tenant'>>(
  told: T,
): T & { readonly id: string } {
  const { class: kind, status } = told;
  const sentence = told.sentence.replaceAll('\u0000', '\ufffd');
  const hash = createHash('sha256').update(`${kind} ${status} ${sentence}`).digest();
  return { ...told, id: String(hash.readBigInt64BE()), sentence };
}
