import type { Id } from '../../core/id.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Conditions } from './conditions.ts';
import type { Database } from './database.ts';

/** Part of a source: what lies below `before`, and not below `floor`. */
export type Bounds = { readonly before?: Id; readonly floor?: Id };

/**
 * A part of a source as a statement takes it: once for each table. PostgreSQL would look into the
 * partitions of all days for each row that it joins with several tables at once.
 */
export type Place = { readonly from: readonly From[]; readonly conditions: Conditions };

/** A `from` with the conditions, which begin with `where`, in their place. */
export type From = (where: string) => string;

/** A place where rows lie in the order of their ids. */
export type Source = {
  /** Read along so many rows at most where there is a `floor`. */
  readonly place: (bounds: Bounds, rows: number) => Place;
  readonly order: string;
  /** What need not be looked at in each row that this gives. */
  readonly covers: readonly string[];
  /** What the source is read along, where that is a narrower index than the one rows are in. */
  readonly along?: Along;
};

export type Along = {
  readonly id: string;
  readonly place: (bounds: Bounds, rows: number) => Place;
};

export type Asked = {
  /** What is selected of each row, its id within: no more than is needed, so that little is planned and read. */
  readonly columns: string;
  /** The column that pages go by. */
  readonly id: string;
  /** What must be looked at in each row; null when the source gives nothing else. */
  readonly addFilter: ((conditions: Conditions) => void) | null;
};

/** Rows found, and the id below which to go on; null at the end. */
export type Slice = { readonly rows: readonly Row[]; readonly next: Id | null };

/** Rows looked through in one statement: these only, for each is a statement of its own. */
const SLICES = [100, 300, 1000, 4000, 16_000] as const;
/** Where to begin when rows must be looked at; when all are meant, the first will mostly do. */
const FIRST_OF_SOME = 2;

/** Sources are told apart up to here. */
const SMALL = 1000;

/** The smallest of the sources when it is small, else the first: they come the most telling first. */
export async function choose<S extends Source>(
  database: Database,
  sources: readonly [S, ...S[]],
  before: { readonly before?: Id },
): Promise<S> {
  const [first] = sources;
  if (sources.length === 1) return first;
  const sizes = await Promise.all(
    sources.map(async ({ place, along }) => {
      const part = (along?.place ?? place)(before, SMALL);
      const sql = `
select count(*) as count
  from (${ofEach(part, '1')}
         limit ?) found`;
      const [row] = await part.conditions.read(database, sql, SMALL);
      return integer(row ?? {}, 'count');
    }),
  );
  const least = Math.min(...sizes);
  return (least < SMALL ? sources[sizes.indexOf(least)] : undefined) ?? first;
}

type Wanted = { readonly before?: Id; readonly limit: number };

/** The newest rows of the source, slice by slice, for as long as the caller goes on. */
export async function* slicesOf(
  database: Database,
  asked: Asked,
  source: Source,
  { before: first, limit }: Wanted,
): AsyncGenerator<Slice> {
  let before = first;
  let found = 0;
  let looked = 0;
  const start = asked.addFilter === null ? 0 : FIRST_OF_SOME;
  for (let size = start; ; size = nextSize(size, { looked, found, limit })) {
    const rows = SLICES[size] ?? 0;
    const bounds = before === undefined ? {} : { before };
    const slice = await readSlice(database, asked, source, { ...bounds, limit, rows });
    yield slice;
    if (slice.next === null) return;
    before = slice.next;
    found += slice.rows.length;
    looked += rows;
  }
}

/** Two sizes larger at most, if it takes so many to find what is left at the rate so far. */
function nextSize(
  size: number,
  { looked, found, limit }: { looked: number; found: number; limit: number },
): number {
  const needed = (looked * Math.max(0, limit - found)) / Math.max(found, 1);
  const enough = SLICES.findIndex((rows) => rows >= needed);
  return Math.min(size + 2, enough === -1 ? SLICES.length - 1 : enough);
}

/** The newest rows of one slice of the source. */
async function readSlice(
  database: Database,
  { columns, id, addFilter }: Asked,
  source: Source,
  { before, limit, rows }: Wanted & { readonly rows: number },
): Promise<Slice> {
  const below = before === undefined ? {} : { before };
  const isWhole = addFilter === null && source.along === undefined;
  const floor = isWhole ? null : await floorOf(database, { source, id, rows }, below);
  const part = source.place(floor === null ? below : { ...below, floor }, rows);
  addFilter?.(part.conditions);
  const newest = `\n order by ${source.order}\n limit ?`;
  const row = id.split('.')[0];
  const sql = `
select *
  from (${ofEach(part, columns, newest)}) ${row}${newest}`;
  const found = await part.conditions.read(database, sql, limit);
  const last = found.at(-1);
  return found.length === limit && last !== undefined
    ? { rows: found, next: text(last, 'id') }
    : { rows: found, next: floor };
}

/** The last id of the slice; null when the source holds no more than that. */
async function floorOf(
  database: Database,
  { source, id, rows }: { readonly source: Source; readonly id: string; readonly rows: number },
  below: { readonly before?: Id },
): Promise<Id | null> {
  const along = source.along ?? { id, place: source.place };
  const part = along.place(below, rows);
  const newest = `\n order by ${along.id} desc\n limit ${rows}`;
  const sql = `
select id
  from (${ofEach(part, `${along.id} as id`, newest)}) found
 order by id desc
offset ${rows - 1}`;
  const [row] = await part.conditions.read(database, sql, 1);
  return row === undefined ? null : text(row, 'id');
}

/** What is selected of each table, one after the other. */
function ofEach({ from, conditions }: Place, select: string, tail = ''): string {
  return from
    .map((each) => `(\n       select ${select}${each(conditions.where)}${tail})`)
    .join('\n        union all ');
}
