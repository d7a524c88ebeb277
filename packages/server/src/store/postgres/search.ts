import type { Id } from '../../core/id.ts';
import { type Row, text } from '../rows.ts';
import type { Conditions } from './conditions.ts';
import type { Database } from './database.ts';

/** A place where rows lie in the order of their ids. */
export type Source = {
  readonly from: string;
  /** Narrows to what lies below, and not below `floor`. */
  readonly range: (bounds: { readonly before?: Id; readonly floor?: Id }) => Conditions;
  readonly order: string;
  /** What need not be looked at in each row that this gives. */
  readonly covers: readonly string[];
};

export type Asked = {
  readonly columns: string;
  readonly joined: string;
  /** The column that pages go by. */
  readonly id: string;
  /** What must be looked at in each row; null when the source gives nothing else. */
  readonly addFilter: ((conditions: Conditions) => void) | null;
};

/** Rows found, and the id below which to go on; null at the end. */
export type Slice = { readonly rows: readonly Row[]; readonly next: Id | null };

/** Rows looked through in the first statement, in each of the next so many times more, and at most. */
const FIRST_SLICE = 1000;
const SLICE_GROWS_BY = 4;
const LARGEST_SLICE = 16_000;

/** How many rows are looked through in the slice of this number; 0 is the first. */
function sliceRows(number: number): number {
  return Math.min(LARGEST_SLICE, FIRST_SLICE * SLICE_GROWS_BY ** Math.min(number, 10));
}
/** Sources are told apart up to here. */
const SMALL = 1000;

/** The smallest of the sources when it is small, else the first: they come the most telling first. */
export async function choose(
  database: Database,
  sources: readonly [Source, ...Source[]],
  before: { readonly before?: Id },
): Promise<Source> {
  const [first] = sources;
  if (sources.length === 1) return first;
  const sizes = await Promise.all(
    sources.map(async ({ from, range }) => {
      const conditions = range(before);
      return (await conditions.read(database, `\nselect 1${from}${conditions.where}`, SMALL))
        .length;
    }),
  );
  const least = Math.min(...sizes);
  return (least < SMALL ? sources[sizes.indexOf(least)] : undefined) ?? first;
}

/** The newest rows of one slice of the source. */
export async function readSlice(
  database: Database,
  { columns, joined, id, addFilter }: Asked,
  source: Source,
  {
    before,
    limit,
    number,
  }: { readonly before?: Id; readonly limit: number; readonly number: number },
): Promise<Slice> {
  const below = before === undefined ? {} : { before };
  const floor =
    addFilter === null
      ? null
      : await floorOf(database, { source, id, rows: sliceRows(number) }, below);
  const conditions = source.range(floor === null ? below : { ...below, floor });
  addFilter?.(conditions);
  // The newest are chosen before anything is joined to them, whatever the planner thinks of the sizes.
  const row = id.split('.')[0];
  const sql = `${columns}
  from (
       select ${row}.*${source.from}${conditions.where}
        order by ${source.order}
        limit ?) ${row}${joined}
 order by ${source.order}`;
  const rows = await conditions.read(database, sql, limit);
  const last = rows.at(-1);
  return rows.length === limit && last !== undefined
    ? { rows, next: text(last, 'id') }
    : { rows, next: floor };
}

/** The last id of the slice; null when the source holds no more than that. */
async function floorOf(
  database: Database,
  { source, id, rows }: { readonly source: Source; readonly id: string; readonly rows: number },
  below: { readonly before?: Id },
): Promise<Id | null> {
  const conditions = source.range(below);
  const sql = `\nselect ${id} as id${source.from}${conditions.where}\n order by ${source.order}\n offset ${rows - 1}`;
  const [row] = await conditions.read(database, sql, 1);
  return row === undefined ? null : text(row, 'id');
}
