import { shardOf } from '../../core/shard.ts';
import { MOVED, type MovedKind, type MovedRow, namedRow, type NamedRow } from '../moving.ts';
import type { Database, Query, Statement } from './database.ts';
import { noteTold, type Told, withId } from './outcomes.ts';
import { createPartitionsOf } from './partitions.ts';
import { batchesOf } from './unindexed.ts';
import { storedKey } from './write-order.ts';

type Write = (query: Query, rows: readonly NamedRow[]) => Promise<void>;

/** Writes moved rows, each kind in its way. */
export function movingWrites(database: Database): {
  /** Makes the partitions of the days that these rows are from: outside of them retention goes row by row. */
  readonly makeRoom: (kind: MovedKind, rows: readonly MovedRow[]) => Promise<void>;
  readonly write: (query: Query, kind: MovedKind, rows: readonly MovedRow[]) => Promise<void>;
} {
  return {
    makeRoom: async (kind, rows) => {
      if (kind !== 'events' && kind !== 'deliveries') return;
      const id = MOVED[kind].findIndex((column) => column === 'id');
      await createPartitionsOf(
        database,
        rows.map((row) => String(row[id])),
      );
    },
    write: (query, kind, rows) =>
      WRITES[kind](
        query,
        rows.map((row) => namedRow(kind, row)),
      ),
  };
}

/** Inserts these columns of rows. Types are the table's own; `json`, for `jsonb` would change texts. */
function into(
  table: string,
  columns: readonly string[],
  ending = '',
): (query: Query, rows: readonly object[]) => Promise<void> {
  const names = columns.join(', ');
  const statement: Statement = {
    name: `move ${table}`,
    text: `
insert into ${table} (${names})
select ${names}
  from json_populate_recordset(null::${table}, $1)${ending}`,
  };
  return async (query, rows) => {
    if (rows.length > 0) await query(statement, [JSON.stringify(rows)]);
  };
}

const INSTEAD = `
    on conflict (name) do update
   set value = excluded.value`;
/** Of what a crash repeated one record is kept. */
const ONCE = `
    on conflict do nothing`;

const insertJobs = into('jobs', [...MOVED.jobs, 'shard']);
const insertStreaks = into('streaks', [...MOVED.streaks, 'shard']);
const insertEvents = into('events', MOVED.events);
const insertUnindexed = into('unindexed_events', ['tenant', 'id', 'ids']);
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
  jobs: (query, rows) => insertJobs(query, rows.map(withShard)),
  sequences: into('sequences', MOVED.sequences),
  statistics: into('statistics', MOVED.statistics),
  idempotency: (query, rows) =>
    insertKeys(
      query,
      rows.map((row) => ({ ...row, key: storedKey(String(row['key'])) })),
    ),
  events: async (query, rows) => {
    await insertEvents(query, rows);
    await insertUnindexed(query, unindexedOf(rows));
  },
  erasures: into('erasures', MOVED.erasures),
  deliveries: writeDeliveries,
  attempts: into('attempts', MOVED.attempts, ONCE),
};

function unindexedOf(rows: readonly NamedRow[]): object[] {
  const events = rows.map((row) => ({ tenant: String(row['tenant']), id: String(row['id']) }));
  return batchesOf(events).map((batch) => ({ ...batch[0], ids: batch.map(({ id }) => id) }));
}

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
const OUTCOME = [
  'class',
  'status',
  'outcome_id',
  'order_keys',
  'order_seq',
  'job_id',
  'replay_of',
  'sequence',
];
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
