import { DatabaseSync } from 'node:sqlite';
import { history, outcomes, TENANT } from './data.ts';

/** Writes the rows straight into the tables; attempts are left out, for no search reads them. */
export function fillSqlite(path: string, count: number): void {
  const database = new DatabaseSync(path);
  database.exec('pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -800000');
  const insertOutcome = database.prepare(
    'insert into outcomes (id, tenant, class, status, sentence) values (?, ?, ?, ?, ?)',
  );
  for (const [index, outcome] of outcomes().entries()) insertOutcome.run(index, TENANT, ...outcome);
  const insertEvent = database.prepare(
    'insert into events (tenant, id, accepted_at, actions, payload) values (?, ?, ?, ?, ?)',
  );
  const insertDelivery = database.prepare(
    'insert into deliveries (tenant, id, event_id, registration_id, state, attempts, due_at, ended_at, outcome) values (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  database.exec('begin');
  for (const { event, deliveries } of history(count)) {
    insertEvent.run(TENANT, ...event);
    for (const row of deliveries) insertDelivery.run(TENANT, ...row);
  }
  database.exec('commit; pragma journal_mode = wal');
  database.close();
}
