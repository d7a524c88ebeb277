import type { DatabaseSync } from 'node:sqlite';
import {
  IMPORT_NOTE,
  interfered,
  MOVED_KINDS,
  movedRow,
  type MovedKind,
  type MovedPage,
  type MovedRow,
  type Moving,
  type NoteStep,
  SETTINGS_LEFT,
  type Summary,
} from '../moving.ts';
import { integer, text } from '../rows.ts';
import { migrate } from './migrate.ts';
import { type DocumentKind, documentsOf, isDocumentKind } from './moving-documents.ts';
import { movingWrites } from './moving-writes.ts';
import { lockStore, openForWriting } from './open.ts';
import { order } from './write-order.ts';

/** Tables, and columns of moved ones, that stay behind, with the reason. */
export const LEFT_BEHIND: Readonly<Record<string, string>> = {
  keys: 'found again by the indexer',
  key_events: 'found again by the indexer',
  indexed_events: 'found again by the indexer',
  outcomes: 'deliveries carry theirs',
  order_keys: 'made from deliveries',
  numbered_deliveries: 'made from deliveries',
  'sequences.id': 'another one in each store',
  'tenants.id': 'in the document',
  'tenants.name': 'in the document',
  'tenants.created_at': 'in the document',
  'tenants.max_pending': 'in the document',
  'tenants.retention': 'in the document',
  'api_keys.tenant': 'in the document',
  'api_keys.id': 'in the document',
  'api_keys.level': 'in the document',
  'api_keys.name': 'in the document',
  'api_keys.hash': 'in the document',
  'api_keys.created_at': 'in the document',
  'api_keys.expires_at': 'in the document',
  'registrations.tenant': 'in the document',
  'registrations.id': 'in the document',
  'filters.name': 'in the document',
  'events.seq': 'the order of the rows',
  'deliveries.leased': 'leases are given up',
  'deliveries.outcome': 'as class, status and sentence',
  'attempts.seq': 'the order of the rows',
};

const settingsLeft = SETTINGS_LEFT.map((name) => `'${name}'`).join(', ');

/** Every row of a kind, under the names of its columns. */
const DUMP: Readonly<Record<Exclude<MovedKind, DocumentKind>, string>> = {
  streaks: `
select tenant, registration_id, failures, since, told, was_off
  from streaks
 order by tenant, registration_id`,
  settings: `select name, value from settings where name not in (${settingsLeft}) order by name`,
  audit: 'select tenant, id, record from audit order by id',
  jobs: `
select tenant, id, registration_id, state, document, subject, cursor, done, reason, ended_at
  from jobs
 order by tenant, id`,
  sequences: `
select tenant, registration_id,
       max(last, coalesce((select max(sequence) from numbered_deliveries where sequence_id = id), 0)) as last
  from sequences
 order by tenant, registration_id`,
  statistics: `
select tenant, registration_id, action, start, step_ms, counts
  from statistics
 order by tenant, registration_id, action, start, step_ms`,
  idempotency: 'select tenant, key, hash, answer, at from idempotency order by tenant, key',
  events: `
select tenant, id, accepted_at, occurred_at, actions, payload, trace, erased
  from events
 order by seq`,
  erasures: `
select tenant, event_id, receipt, picks, cancels
  from erasures
 order by tenant, event_id`,
  deliveries: `
select d.tenant, d.id, d.event_id, d.registration_id, d.state, d.attempts,
       case when d.state in (0, 3) then d.step else 0 end as step,
       d.due_at, d.ended_at, d.reason, d.picks, d.order_keys, d.order_seq, d.job_id, d.replay_of, d.sequence,
       o.class, o.status, o.sentence
  from deliveries d
  left join outcomes o
    on o.id = d.outcome
 order by d.tenant, d.id`,
  attempts: `
select d.tenant, a.delivery_id, a.number, a.started_at, a.duration_ms, a.record
  from deliveries d
 cross join attempts a indexed by attempts_by_delivery
    on a.delivery_id = d.id
 order by d.tenant, d.id, a.number, a.started_at, a.seq`,
};

/** Rows handed over at a time: one may be as large as a body of a publication. */
const PAGE = 200;

/** Opens the embedded store for moving, made where absent. Throws with a sentence when it cannot be used. */
export function openSqliteMoving(path: string): Moving {
  const lock = lockStore(path);
  try {
    const database = openForWriting(path);
    migrate(database);
    return createMoving(database, lock);
  } catch (error) {
    lock.close();
    throw error;
  }
}

function createMoving(database: DatabaseSync, lock: DatabaseSync): Moving {
  const setting = database.prepare('select value from settings where name = ?');
  const load = loading(database);
  return {
    // The lock keeps servers out.
    users: async () => ({ running: [], joins: 0 }),
    summary: async () => summary(database),
    setting: async (name) => {
      const row = setting.get(name);
      return row === undefined ? undefined : text(row, 'value');
    },
    dump: async (take) => {
      for (const kind of MOVED_KINDS) await inPages(kind, rowsOf(database, kind), take);
    },
    ...load,
    close: async () => {
      database.close();
      lock.close();
    },
  };
}

function summary(database: DatabaseSync): Summary {
  const count = (kind: MovedKind): number =>
    integer(database.prepare(`select count(*) as count from ${kind}`).get() ?? {}, 'count');
  const last = database.prepare('select coalesce(max(seq), 0) as place from events').get() ?? {};
  const rows = Object.fromEntries(MOVED_KINDS.map((kind) => [kind, count(kind)]));
  return { rows: rows as Summary['rows'], lastPlace: integer(last, 'place') };
}

function* rowsOf(database: DatabaseSync, kind: MovedKind): Generator<MovedRow> {
  if (isDocumentKind(kind)) yield* documentsOf(database, kind);
  else for (const row of database.prepare(DUMP[kind]).iterate()) yield movedRow(kind, row);
}

async function inPages(
  kind: MovedKind,
  all: Iterable<MovedRow>,
  take: (page: MovedPage) => Promise<void>,
): Promise<void> {
  let rows: MovedRow[] = [];
  for (const row of all) {
    rows.push(row);
    if (rows.length < PAGE) continue;
    await take({ kind, rows });
    rows = [];
  }
  if (rows.length > 0) await take({ kind, rows });
}

const NEXT_ORDERED = `
select distinct tenant, delivery_id
  from order_keys indexed by order_keys_by_delivery
 where (tenant, delivery_id) > (?, ?)
 order by tenant, delivery_id
 limit ?`;

/** Deliveries put into their order in one transaction. */
const STEP = 1000;

function loading(database: DatabaseSync): Pick<Moving, 'keepPlaces' | 'load' | 'finish'> {
  const writes = movingWrites(database);
  const { followEach } = order(database);
  const nextOrdered = database.prepare(NEXT_ORDERED);
  const stepNote = noting(database);

  function placeSome(after: readonly [string, string]): readonly [string, string] | undefined {
    const found = nextOrdered.all(...after, STEP);
    followEach(found.flatMap((row) => [text(row, 'tenant'), text(row, 'delivery_id')]));
    const last = found.at(-1);
    return last && [text(last, 'tenant'), text(last, 'delivery_id')];
  }

  return {
    keepPlaces: async (lastPlace) => writes.keepPlaces(lastPlace),
    load: async ({ kind, rows }, note) =>
      inTransaction(database, () => {
        writes.load[kind](rows);
        stepNote(note);
      }),
    finish: async (note) => {
      let last: readonly [string, string] | undefined = ['', ''];
      while (last !== undefined) {
        const after: readonly [string, string] = last;
        last = inTransaction(database, () => placeSome(after));
      }
      inTransaction(database, () => stepNote(note));
    },
  };
}

function noting(database: DatabaseSync): (step: NoteStep) => void {
  const insert = database.prepare('insert or ignore into settings (name, value) values (?, ?)');
  const update = database.prepare('update settings set value = ? where name = ? and value = ?');
  return ({ from, to }) => {
    const { changes } =
      from === null ? insert.run(IMPORT_NOTE, to) : update.run(to, IMPORT_NOTE, from);
    if (changes !== 1) throw interfered();
  };
}

function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('begin immediate');
  try {
    const result = work();
    database.exec('commit');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}
