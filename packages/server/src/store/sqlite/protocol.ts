/** What main thread and workers say to each other: plain values only, in batches. */
export type Value = string | number | null;

/** Several rows of the same width, one after another: far cheaper to hand over than objects. */
export type Flat = readonly Value[];

export type Request = {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
};

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: WorkerError };

/** `sqliteCode`: SQLite's primary result code where it was SQLite that failed. */
export type WorkerError = { readonly message: string; readonly sqliteCode: number | null };

/** Part of a look-up: what was found so far, and where to go on; null at the end. */
export type Slice<Row> = { readonly rows: readonly Row[]; readonly next: Next | null };

/** Below which id to go on, and in which source of ids. */
export type Next = { readonly before: string; readonly source: string };

/** The functions a worker offers, by name. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

/** Widths of the flat rows. */
export const EVENT_WIDTH = 8;
export const DELIVERY_WIDTH = 7;
export const SETTLEMENT_WIDTH = 14;
export const INDEXED_WIDTH = 4;
