import type { RegistrationRef } from '../../core/registration.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';
import type { HandRow } from './in-hand.ts';

/** Rows laid out in one transaction, which others wait for that settle some of these. */
const STEP = 10;

/** Which rows of `deliveries_in_hand`. */
export type Chosen = { readonly statement: Statement; readonly values: readonly unknown[] };

function chosenBy(name: string, where: string): Statement {
  return {
    name: `in hand ${name}`,
    text: `
select tenant, batch, part
  from deliveries_in_hand h
 where ${where}
 order by tenant, batch, part`,
  };
}

const ALL = chosenBy('all', 'true');
const OF_TENANTS = chosenBy('of tenants', 'h.tenant = any($1::text[])');
const BY_BATCH = chosenBy('by batch', 'h.batch = any($1::bigint[])');
const LEASED_AS = chosenBy('leased as', 'h.leased = any($1::bigint[])');
const OF_NODE = chosenBy('of node', 'h.leased >> 32 = $1::bigint');
const NOBODYS = chosenBy(
  'of nobody',
  'not exists (select from nodes where epoch = h.leased >> 32)',
);
const POSTED: Statement = {
  name: 'in hand posted',
  text: `
select h.tenant, h.batch, h.part
  from unnest($1::text[], $2::text[]) as r (tenant, id)
  join deliveries_in_hand h
    on h.tenant = r.tenant
   and h.posted_to = r.id
   and h.leased = 0
 order by h.tenant, h.batch, h.part`,
};
const OLD = chosenBy('old', '(select min(due) from unnest(h.due_at) as d (due)) < $1::bigint');

/** In the order in which all lock rows. */
const LAY_OUT: Statement = {
  name: 'lay out',
  text: 'select lay_out($1::text[], $2::bigint[], $3::int[])',
};

export const EVERYTHING: Chosen = { statement: ALL, values: [] };
/** What nodes had in hand that are no more, and what was posted and not taken. */
export const OF_NO_NODE: Chosen = { statement: NOBODYS, values: [] };

export function ofTenants(tenants: readonly string[]): Chosen {
  return { statement: OF_TENANTS, values: [tenants] };
}

export function leasedAs(leases: readonly number[]): Chosen {
  return { statement: LEASED_AS, values: [leases] };
}

export function ofNode(epoch: number): Chosen {
  return { statement: OF_NODE, values: [epoch] };
}

/** What is for these registrations and was not taken. */
export function postedTo(refs: readonly RegistrationRef[]): Chosen {
  const values = [refs.map(({ tenant }) => tenant), refs.map(({ id }) => id)];
  return { statement: POSTED, values };
}

/** What was accepted before, in milliseconds since 1970. */
export function olderThan(before: number): Chosen {
  return { statement: OLD, values: [before] };
}

/**
 * Makes rows of `deliveries`, leased as before, of what lies in these rows and has not ended: for who
 * looks for something there, or is about to change it. What was committed before the call is there
 * after it.
 */
export async function layOut(database: Database, chosen: Chosen): Promise<void> {
  await layOutRows(
    database,
    (await database.query(chosen.statement, chosen.values)).map(toHandRow),
  );
}

/** The same for rows that the caller knows; those that are not there any more are left out. */
export async function layOutRows(database: Database, rows: readonly HandRow[]): Promise<void> {
  for (let at = 0; at < rows.length; at += STEP)
    await database.query(LAY_OUT, columnsOf(rows.slice(at, at + STEP)));
}

/** Of `rows`, those that are in no node's hand any more. */
export async function goneOf(
  database: Database,
  rows: readonly HandRow[],
): Promise<readonly HandRow[]> {
  if (rows.length === 0) return [];
  const found = await database.query(BY_BATCH, [rows.map(({ batch }) => batch)]);
  const there = new Set(found.map((row) => keyOf(toHandRow(row))));
  return rows.filter((row) => !there.has(keyOf(row)));
}

export function toHandRow(row: Row): HandRow {
  return { tenant: text(row, 'tenant'), batch: integer(row, 'batch'), part: integer(row, 'part') };
}

export function keyOf({ tenant, batch, part }: HandRow): string {
  return `${batch} ${part} ${tenant}`;
}

/** Tenants, batches and parts. */
export function columnsOf(rows: readonly HandRow[]): unknown[][] {
  return [
    rows.map(({ tenant }) => tenant),
    rows.map(({ batch }) => batch),
    rows.map(({ part }) => part),
  ];
}
