import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { type EventKey, eventKeys, type SubjectPaths } from '../../core/subjects.ts';
import { type Flat, INDEXED_WIDTH, type Methods, type Value } from './protocol.ts';

const NEXT = `
select seq, tenant, id, actions, payload
  from events
 where seq > coalesce((select max(seq) from indexed_events), 0)
 order by seq
 limit ?`;

const FIND_KEY = `
select id
  from keys
 where tenant = ?
   and key = ?`;

const INSERT_KEY = 'insert into keys (tenant, key) values (?, ?)';

/** What of these was not removed meanwhile, nor noted by an earlier call. */
const STILL_NEXT = `
select seq, id
  from events
 where seq between ? and ?
   and seq > coalesce((select max(seq) from indexed_events), 0)
 order by seq`;

const INSERT_INDEXED = 'insert into indexed_events (seq, key_ids) values (?, ?)';

const INSERT_PICKED = `
insert into key_events (key_id, event_id, picks)
values (?, unhex(?), ?)`;

/** Of events just noted, in one statement: the keys that all of their notifications have. */
const INSERT_REST = `
insert into key_events (key_id, event_id)
select k.value, unhex(e.id)
  from indexed_events i
  join events e
    on e.seq = i.seq
 cross join json_each(i.key_ids) k
 where i.seq between ? and ?
    on conflict do nothing`;

type NextRow = [seq: number, tenant: string, id: string, actions: string, payload: string];

/** What the next events are found by: seq, tenant, id and the keys as JSON; `changed`: other paths than before. */
export function keyReads(database: DatabaseSync): Methods {
  const next = rowsAsLists(database.prepare(NEXT));
  let paths: SubjectPaths = {};
  return {
    keysOfNext: (limit: number, changed: SubjectPaths | null): Flat => {
      paths = changed ?? paths;
      const rows: Value[] = [];
      for (const [seq, tenant, id, actions, payload] of next.all(limit) as unknown as NextRow[]) {
        const notifications = payload.split(NOTIFICATION_SEPARATOR);
        const keys = eventKeys(paths, JSON.parse(actions) as string[], notifications);
        rows.push(seq, tenant, id, JSON.stringify(keys));
      }
      return rows;
    },
  };
}

/** Notes what events are found by. */
export function keyWrites(database: DatabaseSync): Methods {
  const findKey = database.prepare(FIND_KEY);
  const insertKey = database.prepare(INSERT_KEY);
  const stillNext = rowsAsLists(database.prepare(STILL_NEXT));
  const insertIndexed = database.prepare(INSERT_INDEXED);
  const insertPicked = database.prepare(INSERT_PICKED);
  const insertRest = database.prepare(INSERT_REST);

  function idOf(tenant: Value, key: string, known: Map<string, number>): number {
    const name = `${tenant} ${key}`;
    const found = known.get(name) ?? findKey.get(tenant, key)?.['id'];
    const id = Number(found ?? insertKey.run(tenant, key).lastInsertRowid);
    known.set(name, id);
    return id;
  }

  function noteKeys(rows: Flat): void {
    const known = new Map<string, number>();
    const [first = null, last = null] = [rows[0], rows[rows.length - INDEXED_WIDTH]];
    const next = new Map(stillNext.all(first, last) as unknown as [Value, Value][]);
    for (let at = 0; at < rows.length; at += INDEXED_WIDTH) {
      const [seq = null, tenant = null, eventId = null] = rows.slice(at, at + 3);
      if (next.get(seq) !== eventId) continue;
      const keys = JSON.parse(String(rows[at + 3])) as readonly EventKey[];
      const ids = keys.map(([key]) => idOf(tenant, key, known));
      insertIndexed.run(seq, JSON.stringify(ids));
      for (const [index, [, picks]] of keys.entries())
        if (picks !== null) insertPicked.run(ids[index] ?? null, eventId, JSON.stringify(picks));
    }
    // Not of those that an earlier call noted: what was erased of them since must not come back.
    const [from = null] = next.keys();
    insertRest.run(from, last);
  }

  return { noteKeys };
}

/** Many rows cost less to read where they need not be objects with names. */
function rowsAsLists(statement: StatementSync): StatementSync {
  statement.setReturnArrays(true);
  return statement;
}
