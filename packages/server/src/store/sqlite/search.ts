import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { type Id, idAt, idTime } from '../../core/id.ts';
import { type Condition, values, where } from './conditions.ts';
import { integer, text } from '../rows.ts';

/** Ids in an index, newest first: one range of it. */
export type Stream = {
  /** What gives the id. */
  readonly id: string;
  /** Everything between that and the `where`. */
  readonly from: string;
  /** Values of the placeholders in `from`. */
  readonly joined: readonly SQLInputValue[];
  readonly range: readonly Condition[];
  /** The columns that bounds of time and page are set on. */
  readonly bounded: readonly Bounded[];
  readonly order: string;
  /** What the stream is read along, where that is a narrower index than the one it takes ids from. */
  readonly along?: Stream;
  /** What is given in place of the ids, which are `c` in it and in its own order. */
  readonly turned?: Turned;
  /** True when all sources have it, so that it does not tell them apart. */
  readonly isShared?: boolean;
};

export type Turned = {
  readonly id: string;
  /** Everything after the ids. */
  readonly joined: string;
  readonly values: readonly SQLInputValue[];
  /** True when there is one for each. */
  readonly isWhole: boolean;
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
  /** Down to which id this is known when it was read along down to another; the same where it is left out. */
  readonly knownDownTo?: (id: Id) => Id;
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

/** `before`: where the next slice goes on; null when the source holds no more. */
export type Found = { readonly ids: readonly Id[]; readonly before: Id | null };

/** Sources smaller than this are read to their end in one go. */
const SMALL = 1000;
/** Others are told apart up to here. */
const LARGE = 20_000;
const FIRST_SLICE = 1000;
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

/** How many ids a source is read along within the bounds, counted up to `cap`. */
function sizeOf(
  database: DatabaseSync,
  { streams }: Source,
  { query, cap }: { readonly query: Bounds; readonly cap: number },
): number {
  let size = 0;
  for (const { along, ...stream } of streams.filter(({ isShared }) => isShared !== true)) {
    if (size >= cap) return size;
    const { id, from, range, joined, bounded } = along ?? stream;
    const conditions = [...range, ...boundsOf(bounded, query)];
    const sql = `select count(*) as count from (\nselect ${id}${from}${where(conditions)}\n limit ?)`;
    const row = database.prepare(sql).get(...joined, ...values(conditions), cap - size);
    size += integer(row ?? {}, 'count');
  }
  return size;
}

/**
 * The newest ids of a source that the filter lets through, all streams as one, up to the limit or
 * as many as there are among so many `rows` of it.
 */
export function newestOf(
  database: DatabaseSync,
  source: Source,
  { limit, rows, filter, ...bounds }: Asked,
): Found {
  const { streams } = source;
  const isWhole = filter.length === 0 && streams.every(isAllOfIts);
  const floor = isWhole ? null : floorOf(database, source, { ...bounds, rows });
  const read = readAll(database, streams, { ...bounds, floor, rows: limit, filter });
  // The same id may have been read more than once, so that fewer are found though there are more.
  const end = highest(floor, read.floor);
  const last = read.ids.length < limit ? end : read.ids[limit - 1];
  return { ids: read.ids.slice(0, limit), before: last ?? null };
}

/** True when nothing that the stream is read along is left out. */
function isAllOfIts({ along, turned }: Stream): boolean {
  return along === undefined || turned?.isWhole === true;
}

type Asked = Bounds & {
  readonly limit: number;
  readonly rows: number;
  readonly filter: readonly Condition[];
};

/** The id down to which a source has about so many rows; null when it has fewer. */
function floorOf(
  database: DatabaseSync,
  { streams, knownDownTo }: Source,
  asked: Bounds & { readonly rows: number },
): Id | null {
  const narrow = (isShared: boolean): Stream[] =>
    streams
      .filter((stream) => (stream.isShared ?? false) === isShared)
      .map(({ along, ...stream }) => along ?? stream);
  const own = endOf(database, narrow(false), asked);
  const known = own === null || knownDownTo === undefined ? own : knownDownTo(own);
  return highest(known, endOf(database, narrow(true), asked));
}

/** The id of the last of so many rows; null when there are fewer. */
function endOf(
  database: DatabaseSync,
  streams: readonly Stream[],
  { rows, ...bounds }: Bounds & { readonly rows: number },
): Id | null {
  const [first] = streams;
  if (first === undefined) return null;
  if (streams.length > 1)
    return readAll(database, streams, { ...bounds, floor: null, rows, filter: [] }).floor;
  const [last] = readStream(database, first, { ...bounds, floor: null, rows: 1, skip: rows - 1 });
  return last ?? null;
}

type Reading = Bounds & {
  readonly floor: Id | null;
  readonly rows: number;
  readonly filter?: readonly Condition[];
  readonly skip?: number;
};

/** The newest ids of all streams, at least `rows` of them where there are so many; else the floor is null. */
function readAll(
  database: DatabaseSync,
  streams: readonly Stream[],
  asked: Reading,
): { readonly ids: readonly Id[]; readonly floor: Id | null } {
  const { rows } = asked;
  let { floor } = asked;
  let isFull = false;
  let ids: Id[] = [];
  for (const stream of streams) {
    const found = readStream(database, stream, { ...asked, floor });
    ids.push(...found);
    if (found.length === rows) {
      floor = highest(floor, found.at(-1) ?? null);
      isFull = true;
    }
    if (ids.length < 2 * rows) continue;
    ids = newestFirst(ids, floor).slice(0, rows);
    floor = highest(floor, ids.at(-1) ?? null);
  }
  return { ids: newestFirst(ids, floor), floor: isFull ? floor : null };
}

function readStream(
  database: DatabaseSync,
  { id, from, joined, range, bounded, order, turned }: Stream,
  { rows, filter = [], skip = 0, ...bounds }: Reading,
): Id[] {
  const conditions = [...range, ...boundsOf(bounded, bounds), ...filter];
  const ids = `\nselect ${id} as id${from}${where(conditions)}\n order by ${order}`;
  const sql = turned === undefined ? ids : turnedInto(turned, ids);
  const asked = [...joined, ...values(conditions), ...(turned?.values ?? [])];
  const found = database.prepare(`${sql}\n limit ? offset ?`).all(...asked, rows, skip);
  return found.map((row) => text(row, 'id'));
}

/** The limit, which is none, keeps SQLite from making one select of both and sorting what that finds. */
function turnedInto({ id, joined }: Turned, ids: string): string {
  return `\nselect ${id} as id\n  from (${ids}\n limit -1) c${joined}`;
}

function boundsOf(
  bounded: readonly Bounded[],
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
