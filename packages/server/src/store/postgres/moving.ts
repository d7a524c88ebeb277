import {
  IMPORT_NOTE,
  interfered,
  MOVED_KINDS,
  movedRow,
  type Moving,
  type NoteStep,
  type Summary,
  type Users,
} from '../moving.ts';
import { integer, type Row, text } from '../rows.ts';
import type { Database, Query, Statement } from './database.ts';
import { EVERYTHING, layOut } from './lay-out.ts';
import { dumpsOf } from './moving-reads.ts';
import { movingWrites } from './moving-writes.ts';
import { openDatabase, type PostgresOptions } from './open.ts';
import { place } from './write-order.ts';
import { setting } from './write-installation.ts';

/** Tables, and columns of moved ones, that stay behind, with the reason. */
export const LEFT_BEHIND: Readonly<Record<string, string>> = {
  schema_version: 'each store has its own',
  configuration: 'counts the changes of one store',
  configuration_changes: 'tells running nodes what changed',
  nodes: 'none runs meanwhile',
  shards: 'belong to nodes',
  event_keys: 'found again by the indexer',
  unindexed_events: 'all moved events are among them',
  outcomes: 'deliveries carry theirs',
  unscrubbed: 'of the files of one store',
  order_keys: 'made from deliveries',
  ended_deliveries: 'moved as deliveries',
  deliveries_in_hand: 'laid out among deliveries',
  'tenants.id': 'in the document',
  'tenants.removing': 'a deletion that was cut short is asked for again',
  'api_keys.tenant': 'in the document',
  'api_keys.id': 'in the document',
  'registrations.tenant': 'in the document',
  'registrations.id': 'in the document',
  'filters.name': 'in the document',
  'deliveries.leased': 'leases are given up',
  'deliveries.behind': 'made from the order',
  'deliveries.shard': 'follows from the registration',
  'jobs.shard': 'follows from the registration',
  'streaks.shard': 'follows from the registration',
  'deliveries.outcome_id': 'follows from class, status and sentence',
};

/** Sorting a day of events takes longer than any statement of a server may. */
const STATEMENT_TIMEOUT_MS = 3_600_000;

/** Opens the store on PostgreSQL for moving, and brings its schema up to date. Throws with a sentence when it cannot be used. */
export async function openPostgresMoving(options: PostgresOptions): Promise<Moving> {
  const patient = { ...options, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  const database = await openDatabase(patient);
  return {
    users: () => users(database),
    summary: async () => {
      await layOut(database, EVERYTHING);
      return summary(database);
    },
    setting: (name) => setting(database, name),
    dump: async (take) => {
      await layOut(database, EVERYTHING);
      await dump(database, take);
    },
    ...loading(database),
    close: () => database.close(),
  };
}

const USERS: Statement = {
  name: 'users',
  text: `
select (select case when is_called then last_value else 0 end from node_epochs) as joins,
       array(select name from nodes where expires_at > clock_timestamp() order by epoch) as running`,
};

async function users(database: Database): Promise<Users> {
  const [row = {}] = await database.query(USERS);
  return { joins: integer(row, 'joins'), running: row['running'] as readonly string[] };
}

/**
 * No server's statement takes so long, and none rests while what it has read is written to a file. Said in
 * each transaction: behind a pooler the role's own limits would hold.
 */
const PATIENCE = [
  once('set local statement_timeout = 0'),
  once('set local idle_in_transaction_session_timeout = 0'),
];

function summary(database: Database): Promise<Summary> {
  return database.transaction(async (query) => {
    for (const each of PATIENCE) await query(each);
    const rows: Record<string, number> = {};
    for (const kind of MOVED_KINDS) rows[kind] = await count(query, kind);
    rows['deliveries'] = (rows['deliveries'] ?? 0) + (await count(query, 'ended_deliveries'));
    const [row = {}] = await query(LAST_PLACE);
    return { rows: rows as Summary['rows'], lastPlace: integer(row, 'place') };
  });
}

const LAST_PLACE: Statement = {
  name: 'last place',
  text: 'select case when is_called then last_value else 0 end as place from order_places',
};

async function count(query: Query, table: string): Promise<number> {
  const [row = {}] = await query(once(`select count(*) as count from ${table}`));
  return integer(row, 'count');
}

/** A statement that is run once: it has no name. */
function once(sql: string): Statement {
  return { name: '', text: sql };
}

/** Rows fetched at a time: one may be as large as a body of a publication. */
const PAGE = 200;

/** One transaction that sees one moment; cursors, so that nobody holds more than a page. */
function dump(database: Database, take: Parameters<Moving['dump']>[0]): Promise<void> {
  return database.transaction(async (query) => {
    await query(once('set transaction isolation level repeatable read, read only'));
    for (const each of PATIENCE) await query(each);
    for (const { kind, sql, read } of await dumpsOf(query)) {
      await query(once(`declare moved no scroll cursor for ${sql}`));
      for (let rows = await page(query); rows.length > 0; rows = await page(query))
        await take({ kind, rows: rows.map((row) => movedRow(kind, read?.(row) ?? row)) });
      await query(once('close moved'));
    }
  });
}

function page(query: Query): Promise<readonly Row[]> {
  // In capitals: in small letters it would look like the function that sends.
  return query(once(`FETCH ${PAGE} from moved`));
}

const FIRST_NOTE: Statement = {
  name: 'first note',
  text: `
insert into settings (name, value)
select $1, $2
 where not exists (select from nodes where expires_at > clock_timestamp())
    on conflict do nothing
returning name`,
};

const NEXT_NOTE: Statement = {
  name: 'next note',
  text: `
update settings
   set value = $2
 where name = $1
   and value = $3
   and not exists (select from nodes where expires_at > clock_timestamp())
returning name`,
};

async function stepNote(query: Query, { from, to }: NoteStep): Promise<void> {
  const written =
    from === null
      ? await query(FIRST_NOTE, [IMPORT_NOTE, to])
      : await query(NEXT_NOTE, [IMPORT_NOTE, to, from]);
  if (written.length !== 1) throw interfered();
}

const KEEP_PLACES: Statement = {
  name: 'keep places',
  text: `
select setval('order_places', $1)
  from order_places
 where last_value < $1
    or not is_called`,
};

const NEXT_ORDERED: Statement = {
  name: 'next ordered',
  text: `
select distinct tenant, delivery_id
  from order_keys
 where (tenant, delivery_id) > ($1, $2)
 order by tenant, delivery_id
 limit $3`,
};

/** Deliveries put into their order in one transaction. */
const STEP = 1000;

function loading(database: Database): Pick<Moving, 'keepPlaces' | 'load' | 'finish'> {
  const writes = movingWrites(database);

  async function placeSome(
    after: readonly [string, string],
  ): Promise<[string, string] | undefined> {
    const found = await database.query(NEXT_ORDERED, [...after, STEP]);
    const refs = found.map((row) => ({
      tenant: text(row, 'tenant'),
      id: text(row, 'delivery_id'),
    }));
    const last = refs.at(-1);
    if (last === undefined) return undefined;
    await database.transaction((query) => place(query, refs));
    return [last.tenant, last.id];
  }

  return {
    keepPlaces: async (lastPlace) => {
      if (lastPlace > 0) await database.query(KEEP_PLACES, [lastPlace]);
    },
    load: async ({ kind, rows }, note) => {
      await writes.makeRoom(kind, rows);
      await database.transaction(async (query) => {
        // First, so that of two imports one waits here for the other, and is refused.
        await stepNote(query, note);
        await writes.write(query, kind, rows);
      });
    },
    finish: async (note) => {
      for (let last: [string, string] | undefined = ['', '']; last !== undefined;)
        last = await placeSome(last);
      await database.transaction((query) => stepNote(query, note));
    },
  };
}
