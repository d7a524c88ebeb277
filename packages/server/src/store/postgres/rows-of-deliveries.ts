/*
 * How statements find rows of `deliveries`. The table is mostly empty when PostgreSQL looks at it, and
 * from then on one index seems as good as another for as many rows as there come: so each statement
 * leaves but one to choose.
 */

/**
 * Every row. Said by what reads along a registration or an event: the indexes by these are there for
 * those who say so, and nothing else.
 */
export const ANY_STATE = 'state >= 0';

/**
 * True of the row d that another names by tenant and id. No order of an index helps to compare with
 * `any(array[…])`; with "=", all that waits may be read along one, and each row compared with all.
 */
export function isRowOf(other: string, id = 'id'): string {
  return `d.tenant = any(array[${other}.tenant]) and d.${id} = ${other}.id`;
}

/**
 * True where these columns have these values. Bounds that begin with a column fit no index that does
 * not, and their order is that of one that does.
 */
export function isWithin(columns: string, values: string): string {
  return `(${columns}) >= (${values}) and (${columns}) <= (${values})`;
}
