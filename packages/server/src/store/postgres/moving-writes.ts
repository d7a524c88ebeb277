import { shardOf } from '../../core/shard.ts';
import { MOVED, type MovedKind, type MovedRow, namedRow, type NamedRow } from '../moving.ts';
import type { Database, Query, Statement } from './database.ts';
import { noteTold, type Told, withId } from './outcomes.ts';
import { createPartitionsOf } from './partitions.ts';
import { storedKey } from './write-order.ts';

type Write = (query: Query, rows: readonly NamedRow[]) => Promise<void>;

/** Writes moved rows, each kind in its way. */
export function movingWrites(database: Database): {
  /** Makes the partitions of the days that these rows are from: outside of them retention goes row by row. */
  readonly makeRoom: (kind: MovedKind, rows: readonly MovedRow[]) => Promise<void>;
  readonly write: (query: Query, kind: MovedKind, rows: readonly MovedRow[]) => Promise<void>;
} {
  const eventId = MOVED.events.indexOf('id');
  return {
    makeRoom: async (kind, rows) => {
      const ids = kind === 'events' ? rows.map((row) => String(row[eventId])) : [];
      if (ids.length > 0) await createPartitionsOf(database, ids);
    },
    write: (query, kind, rows) =>
      WRITES[kind](
        query,
        rows.map((row) => namedRow(kind, row)),
      ),
  };
}

/** Types of columns that are not text. */
const TYPES: Readonly<Record<string, string>> = {
  accepted_at: 'bigint',
  occurred_at: 'bigint',
  started_at: 'bigint',
  at: 'bigint',
  due_at: 'bigint',
  ended_at: 'bigint',
  order_seq: 'bigint',
  seq: 'bigint',
  outcome_id: 'bigint',
  number: 'int',
  duration_ms: 'int',
  attempts: 'int',
  step: 'int',
  status: 'int',
  state: 'smallint',
  shard: 'smallint',
  failures: 'bigint',
  since: 'bigint',
  told: 'smallint',
  was_off: 'boolean',
};

/** Inserts these columns of rows. */
function into(table: string, columns: readonly string[], ending = ''): Write {
  const arrays = columns.map((column, index) => `$${index + 1}::${TYPES[column] ?? 'text'}[]`);
  const statement: Statement = {
    name: `move ${table}`,
    text: `
insert into ${table} (${columns.join(', ')})
select *
  from unnest(${arrays.join(', ')})${ending}`,
  };
  return async (query, rows) => {
    if (rows.length === 0) return;
    await query(
      statement,
      columns.map((column) => rows.map((row) => row[column])),
    );
  };
}

const INSTEAD = `
    on conflict (name) do update
   set value = excluded.value`;
/** Of what a crash repeated one record is kept. */
const ONCE = `
    on conflict do nothing`;

const insertStreaks = into('streaks', [...MOVED.streaks, 'shard']);
const insertEvents = into('events', MOVED.events);
const insertUnindexed = into('unindexed_events', ['tenant', 'id']);
const insertAudit = into('audit', MOVED.audit);
const insertKeys = into('idempotency', MOVED.idempotency);

const WRITES: Readonly<Record<MovedKind, Write>> = {
  tenants: documentsInto('tenants', ['id']),
  api_keys: documentsInto('api_keys', ['tenant', 'id']),
  registrations: documentsInto('registrations', ['tenant', 'id']),
  filters: documentsInto('filters', ['name']),
  streaks: (query, rows) => insertStreaks(query, rows.map(withShard)),
  settings: into('settings', MOVED.settings, INSTEAD),
  audit: (query, rows) =>
    insertAudit(
      query,
      rows.map((row) => ({ ...row, tenant: row['tenant'] ?? '' })),
    ),
  idempotency: (query, rows) =>
    insertKeys(
      query,
      rows.map((row) => ({ ...row, key: storedKey(String(row['key'])) })),
    ),
  events: async (query, rows) => {
    await insertEvents(query, rows);
    await insertUnindexed(query, rows);
  },
  deliveries: writeDeliveries,
  attempts: into('attempts', MOVED.attempts, ONCE),
};

/** What lies as a document beside its keys, which the document has too. */
function documentsInto(table: string, keys: readonly string[]): Write {
  const insert = into(table, [...keys, 'document']);
  return (query, rows) =>
    insert(
      query,
      rows.map(({ document = null }) => {
        const read = JSON.parse(String(document)) as NamedRow;
        const name = String(read['name']).toLowerCase();
        return { ...read, ...(table === 'filters' ? { name } : {}), document };
      }),
    );
}

const OWN = ['tenant', 'id', 'event_id', 'registration_id', 'state', 'attempts', 'reason', 'picks'];
const OUTCOME = ['class', 'status', 'outcome_id', 'order_keys', 'order_seq'];
const insertWaiting = into('deliveries', [...OWN, ...OUTCOME, 'shard', 'step', 'due_at']);
const insertEnded = into('ended_deliveries', [...OWN, ...OUTCOME, 'ended_at']);
const insertOrderKeys = into('order_keys', [
  'tenant',
  'registration_id',
  'key',
  'seq',
  'delivery_id',
]);

async function writeDeliveries(query: Query, rows: readonly NamedRow[]): Promise<void> {
  const told = rows.map(toldOf);
  const known = told.flatMap((each) => (each === null || each.sentence === '' ? [] : [each]));
  if (known.length > 0) await noteTold(query, known);
  const all = rows.map((row, index) => ({ ...row, outcome_id: told[index]?.id ?? null }));
  const [waiting, ended] = [all.filter((row) => !hasEnded(row)), all.filter(hasEnded)];
  await insertEnded(query, ended);
  await insertWaiting(query, waiting.map(withShard));
  await insertOrderKeys(query, waiting.flatMap(orderKeysOf));
}

function hasEnded(row: NamedRow): boolean {
  return row['ended_at'] !== null;
}

function withShard(row: NamedRow): NamedRow {
  const ref = { tenant: String(row['tenant']), id: String(row['registration_id']) };
  return { ...row, shard: shardOf(ref) };
}

/** An empty sentence where there was no room for it: it is found by nothing but its class. */
function toldOf(row: NamedRow): Told | null {
  const [kind, status, sentence] = [row['class'], row['status'], row['sentence']];
  if (kind === null) return null;
  return withId({
    tenant: String(row['tenant']),
    class: String(kind),
    status: typeof status === 'number' ? status : null,
    sentence: typeof sentence === 'string' ? sentence : '',
  });
}

function orderKeysOf(row: NamedRow): NamedRow[] {
  const { tenant = null, id = null, order_keys: keys = null, order_seq: seq = null } = row;
  if (keys === null) return [];
  return (JSON.parse(String(keys)) as readonly string[]).map((key) => ({
    tenant,
    registration_id: row['registration_id'] ?? null,
    key: storedKey(key),
    seq,
    delivery_id: id,
  }));
}
