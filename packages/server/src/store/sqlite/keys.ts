import type { DatabaseSync } from 'node:sqlite';
import { NOTIFICATION_SEPARATOR } from '../../core/delivery.ts';
import { type EventKey, eventKeys, type SubjectPaths } from '../../core/subjects.ts';
import { type Flat, INDEXED_WIDTH, type Methods, type Value } from './protocol.ts';
import { integer, parse, text } from '../rows.ts';

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

/** Nothing where the event was removed meanwhile, or noted by an earlier call. */
const IS_NEXT = `
select 1
  from events
 where seq = ?1
   and id = ?2
   and not exists (select 1 from indexed_events where seq = ?1)`;

const INSERT_INDEXED = 'insert into indexed_events (seq, key_ids) values (?, ?)';

const INSERT_KEY_EVENT = `
insert into key_events (key_id, event_id, picks)
values (?, unhex(?), ?)`;

/** What the next events are found by: seq, tenant, id and the keys as JSON. */
export function keyReads(database: DatabaseSync): Methods {
  const next = database.prepare(NEXT);
  return {
    keysOfNext: (paths: SubjectPaths, limit: number): Flat =>
      next.all(limit).flatMap((row): Value[] => {
        const notifications = text(row, 'payload').split(NOTIFICATION_SEPARATOR);
        const keys = eventKeys(paths, parse<string[]>(row, 'actions'), notifications);
        return [integer(row, 'seq'), text(row, 'tenant'), text(row, 'id'), JSON.stringify(keys)];
      }),
  };
}

/** Notes what events are found by. */
export function keyWrites(database: DatabaseSync): Methods {
  const findKey = database.prepare(FIND_KEY);
  const insertKey = database.prepare(INSERT_KEY);
  const isNext = database.prepare(IS_NEXT);
  const insertIndexed = database.prepare(INSERT_INDEXED);
  const insertKeyEvent = database.prepare(INSERT_KEY_EVENT);

  function idOf(tenant: Value, key: string, known: Map<string, number>): number {
    const name = `${tenant} ${key}`;
    const found = known.get(name) ?? findKey.get(tenant, key)?.['id'];
    const id = Number(found ?? insertKey.run(tenant, key).lastInsertRowid);
    known.set(name, id);
    return id;
  }

  function noteKeys(rows: Flat): void {
    const known = new Map<string, number>();
    for (let at = 0; at < rows.length; at += INDEXED_WIDTH) {
      const [seq = null, tenant = null, eventId = null, json = null] = rows.slice(at, at + 4);
      if (isNext.get(seq, eventId) === undefined) continue;
      const keys = JSON.parse(String(json)) as readonly EventKey[];
      const ids = keys.map(([key]) => idOf(tenant, key, known));
      insertIndexed.run(seq, JSON.stringify(ids));
      for (const [index, id] of ids.entries()) {
        const picks = keys[index]?.[1] ?? null;
        insertKeyEvent.run(id, eventId, picks === null ? null : JSON.stringify(picks));
      }
    }
  }

  return { noteKeys };
}
