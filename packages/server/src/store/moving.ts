import { AppError } from '../core/errors.ts';

/**
 * What is moved from one installation to another, in this order: kinds of rows, and their columns.
 * `document` is the JSON of what `core/` calls a tenant, an API key, a registration or a filter.
 */
export const MOVED = {
  tenants: ['document'],
  api_keys: ['document'],
  registrations: ['document'],
  filters: ['document'],
  streaks: ['tenant', 'registration_id', 'failures', 'since', 'told', 'was_off'],
  settings: ['name', 'value'],
  audit: ['tenant', 'id', 'record'],
  idempotency: ['tenant', 'key', 'hash', 'answer', 'at'],
  jobs: [
    'tenant',
    'id',
    'registration_id',
    'state',
    'document',
    'subject',
    'cursor',
    'done',
    'reason',
    'ended_at',
  ],
  sequences: ['tenant', 'registration_id', 'last'],
  statistics: ['tenant', 'registration_id', 'action', 'start', 'step_ms', 'counts'],
  events: ['tenant', 'id', 'accepted_at', 'occurred_at', 'actions', 'payload', 'trace', 'erased'],
  erasures: ['tenant', 'event_id', 'receipt', 'picks', 'cancels'],
  deliveries: [
    'tenant',
    'id',
    'event_id',
    'registration_id',
    'state',
    'attempts',
    'step',
    'due_at',
    'ended_at',
    'reason',
    'picks',
    'order_keys',
    'order_seq',
    'job_id',
    'replay_of',
    'sequence',
    'class',
    'status',
    'sentence',
  ],
  attempts: ['tenant', 'delivery_id', 'number', 'started_at', 'duration_ms', 'record'],
} as const;

export type MovedKind = keyof typeof MOVED;

export const MOVED_KINDS = Object.keys(MOVED) as readonly MovedKind[];

export type MovedValue = string | number | null;

/** The values of a row, in the order of its kind's columns. */
export type MovedRow = readonly MovedValue[];

/** Rows of one kind. */
export type MovedPage = { readonly kind: MovedKind; readonly rows: readonly MovedRow[] };

/** How far an import has come is kept in the store that it fills, under this name. */
export const IMPORT_NOTE = 'import';

/** Settings that say something of one store alone. */
export const SETTINGS_LEFT: readonly string[] = [IMPORT_NOTE, 'last check'];

/** Of a page that is loaded: what the note says before (null where there is none) and after. */
export type NoteStep = { readonly from: string | null; readonly to: string };

export type Summary = {
  readonly rows: Readonly<Record<MovedKind, number>>;
  /** No delivery has a higher place in an order. */
  readonly lastPlace: number;
};

/** `joins` is another number after a node has joined, even if it left again. */
export type Users = { readonly running: readonly string[]; readonly joins: number };

/** A store as it is moved, while no server has it open. Each driver has one; `Store` is for servers. */
export interface Moving {
  users(): Promise<Users>;
  summary(): Promise<Summary>;
  setting(name: string): Promise<string | undefined>;
  /** Gives everything as it is at one moment, in the order of MOVED: some rows at a time, and the next when they are taken. */
  dump(take: (page: MovedPage) => Promise<void>): Promise<void>;
  /** Call it before anything is loaded: what is accepted later comes behind this place. */
  keepPlaces(lastPlace: number): Promise<void>;
  /**
   * Writes rows and the note in one transaction; all that is pending can be claimed. Throws when
   * the note is another than `from`, or a node runs.
   */
  load(page: MovedPage, note: NoteStep): Promise<void>;
  /** Puts what has an order into it, once all is loaded; it may be called again. */
  finish(note: NoteStep): Promise<void>;
  close(): Promise<void>;
}

/** The values of a database's row in the order of its kind's columns. */
export function movedRow(kind: MovedKind, row: Readonly<Record<string, unknown>>): MovedRow {
  return MOVED[kind].map((column) => {
    const value = row[column];
    if (value !== null && typeof value !== 'string' && typeof value !== 'number')
      throw new TypeError(`${kind}.${column} cannot be moved`);
    return value;
  });
}

/** A row by the names of its columns. */
export type NamedRow = Readonly<Record<string, MovedValue>>;

export function namedRow(kind: MovedKind, row: MovedRow): NamedRow {
  return Object.fromEntries(MOVED[kind].map((column, index) => [column, row[index] ?? null]));
}

/** Why a page was not loaded. */
export function interfered(): AppError {
  return new AppError(
    'unavailable',
    'Another import writes to this store, or a server was started on it meanwhile. Stop that, and run this import again: it goes on where it was.',
  );
}
