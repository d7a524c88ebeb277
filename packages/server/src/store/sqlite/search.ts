import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { type Id, idAt, idTime } from '../../core/id.ts';
import { type Condition, values, where } from './conditions.ts';
import { integer, text } from '../rows.ts';

/** Ids in an index, newest first: one range of it. */
export type Stream = {
  /** `select … as id`, with everything up to the `where`. */
  readonly select: string;
  /** Values of the placeholders in `select`. */
  readonly joined: readonly SQLInputValue[];
  readonly range: readonly Condition[];
  /** The columns that bounds of time and page are set on. */
  readonly bounded: readonly Bounded[];
  readonly order: string;
};

/** How a column takes an id, and how much older than the id in question its own may be. */
export type Bounded = {
  readonly id: string;
  readonly asId: '?' | 'unhex(?)';
  readonly slackMs: number;
};

/** Where ids can be taken from: several streams that are read as one. */
export type Source = {
  readonly name: string;
  readonly streams: readonly Stream[];
  /** What need not be looked at in each row that this gives. */
  readonly covers: readonly string[];
};

export type Bounds = {
  readonly from?: number;
  readonly to?: number;
  readonly before?: Id;
};

/** How a look-up comes: what an earlier slice chose, and whether ids alone will do. */
export type SliceQuery = Bounds & {
  readonly limit: number;
  readonly source?: string;
  readonly idsOnly?: boolean;
};

/** `floor`: the last id looked at; null when the source holds no more. */
export type Candidates = { readonly ids: readonly Id[]; readonly floor: Id | null };

/** Sources smaller than this are read to their end in one go. */
const SMALL = 1000;
/** Others are told apart up to here. */
const LARGE = 4000;
const FIRST_SLICE = 500;
const SLICE = 5000;

/**
 * Chooses where to look: the smallest source when it is small; otherwise the first at once, since
 * what is asked for is mostly not rare, and the smaller one when that did not find enough. What is
 * only counted is taken from a source of nothing else, where there is one.
 */
export function chooseSource(
  database: DatabaseSync,
  sources: readonly Source[],
  query: SliceQuery,
  parts: readonly string[],
): Choice {
  const first = sources[0] ?? NOWHERE;
  const known = sources.length === 1 ? first : sources.find(({ name }) => name === query.source);
  if (known !== undefined) return { source: known, rows: SLICE, next: known.name };
  const whole = query.idsOnly === true && sources.find(({ covers }) => isAll(covers, parts));
  if (whole) return { source: whole, rows: SLICE, next: whole.name };
  const small = smallestOf(database, sources, { query, cap: SMALL });
  if (small !== undefined) return { source: small, rows: SMALL, next: small.name };
  if (query.source === undefined && query.idsOnly !== true)
    return { source: first, rows: FIRST_SLICE, next: LOOK_TWICE };
  const source = smallestOf(database, sources, { query, cap: LARGE }) ?? first;
  return { source, rows: SLICE, next: source.name };
}

function isAll(covers: readonly string[], parts: readonly string[]): boolean {
  return parts.every((part) => covers.includes(part));
}

/** `next`: the source that the next slice is asked with. */
export type Choice = { readonly source: Source; readonly rows: number; readonly next: string };

const NOWHERE: Source = { name: 'nowhere', streams: [], covers: [] };
/** No source's name: the slice after a first, hopeful one looks twice. */
const LOOK_TWICE = 'look twice';

function smallestOf(
  database: DatabaseSync,
  sources: readonly Source[],
  { query, cap }: { readonly query: Bounds; readonly cap: number },
): Source | undefined {
  let smallest: Source | undefined;
  let room = cap;
  for (const source of sources) {
    const size = sizeOf(database, source, { query, cap: room });
    if (size >= room) continue;
    smallest = source;
    room = size;
  }
  return smallest;
}

/** How many ids a source holds within the bounds, counted up to `cap`. */
function sizeOf(
  database: DatabaseSync,
  { streams }: Source,
  { query, cap }: { readonly query: Bounds; readonly cap: number },
): number {
  let size = 0;
  for (const stream of streams) {
    if (size >= cap) return size;
    const conditions = [...stream.range, ...boundsOf(stream, query)];
    const sql = `select count(*) as count from (${stream.select}${where(conditions)}\n limit ?)`;
    const row = database.prepare(sql).get(...stream.joined, ...values(conditions), cap - size);
    size += integer(row ?? {}, 'count');
  }
  return size;
}

/** The newest ids of a source, all streams as one, at least `rows` of them where there are so many. */
export function candidatesOf(
  database: DatabaseSync,
  source: Source,
  query: Bounds,
  rows: number,
): Candidates {
  let ids: Id[] = [];
  let floor: Id | null = null;
  for (const stream of source.streams) {
    const found = readStream(database, stream, { ...query, floor, rows });
    if (found.length === rows) floor = highest(floor, found.at(-1) ?? null);
    ids.push(...found);
    if (ids.length < 2 * rows) continue;
    ids = newestFirst(ids, floor).slice(0, rows);
    floor = highest(floor, ids.at(-1) ?? null);
  }
  return { ids: newestFirst(ids, floor), floor };
}

function readStream(
  database: DatabaseSync,
  stream: Stream,
  { rows, ...bounds }: Bounds & { readonly floor: Id | null; readonly rows: number },
): Id[] {
  const conditions = [...stream.range, ...boundsOf(stream, bounds)];
  const sql = `${stream.select}${where(conditions)}\n order by ${stream.order}\n limit ?`;
  const found = database.prepare(sql).all(...stream.joined, ...values(conditions), rows);
  return found.map((row) => text(row, 'id'));
}

function boundsOf(
  { bounded }: Stream,
  { from, to, before, floor = null }: Bounds & { readonly floor?: Id | null },
): Condition[] {
  const range: Condition[] = [];
  for (const { id, asId, slackMs } of bounded) {
    if (from !== undefined) range.push([`${id} >= ${asId}`, idAt(from - slackMs)]);
    if (to !== undefined) range.push([`${id} < ${asId}`, idAt(to + slackMs)]);
    if (before !== undefined) range.push([`${id} < ${asId}`, before]);
    if (floor === null) continue;
    range.push([`${id} >= ${asId}`, slackMs === 0 ? floor : idAt(idTime(floor) - slackMs)]);
  }
  return range;
}

function newestFirst(ids: readonly Id[], floor: Id | null): Id[] {
  const kept = floor === null ? ids : ids.filter((id) => id >= floor);
  return [...new Set(kept)].toSorted((a, b) => (a < b ? 1 : -1));
}

function highest(one: Id | null, other: Id | null): Id | null {
  if (one === null || other === null) return one ?? other;
  return one > other ? one : other;
}
