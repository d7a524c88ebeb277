import type { AuditEntry } from '../../core/audit.ts';
import type { Database, Query, Statement } from './database.ts';
import { isRowOf } from './rows-of-deliveries.ts';
import { noted } from './write-installation.ts';

/** Rows removed in one transaction: other tenants' commits wait no longer than that. */
const STEP = 2000;

const MARK_REMOVING: Statement = {
  name: 'mark removing',
  text: 'update tenants set removing = true where id = $1 returning id',
};

const DELETE_TENANT: Statement = {
  name: 'delete tenant',
  text: 'delete from tenants where id = $1 returning id',
};

/** Of a tenant's rows in one table, some. */
function deleteSome(table: string, id: string): Statement {
  return {
    name: `delete ${table} of tenant`,
    text: `
with chosen as (
  select tenant, ${id} as id
    from ${table}
   where tenant = $1
   limit $2)
delete from ${table} d
 using chosen s
 where ${isRowOf('s', id)}
returning 1`,
  };
}

/** What is kept for a tenant, in the order in which it goes. */
const TABLES: readonly Statement[] = [
  deleteSome('attempts', 'delivery_id'),
  deleteSome('order_keys', 'delivery_id'),
  deleteSome('deliveries_in_hand', 'batch'),
  deleteSome('deliveries', 'id'),
  deleteSome('ended_deliveries', 'id'),
  deleteSome('events', 'id'),
  deleteSome('erasures', 'event_id'),
  deleteSome('unindexed_events', 'id'),
  deleteSome('event_keys', 'key'),
  deleteSome('outcomes', 'id'),
  deleteSome('idempotency', 'key'),
  deleteSome('streaks', 'registration_id'),
  deleteSome('jobs', 'id'),
  deleteSome('statistics', 'start'),
  deleteSome('sequences', 'registration_id'),
  deleteSome('registrations', 'id'),
  deleteSome('api_keys', 'id'),
];

/**
 * Removes a tenant: other nodes learn of it first, its rows go in steps, and its own row goes last,
 * so that a deletion that was cut short can be asked for again.
 */
export async function deleteTenant(
  database: Database,
  id: string,
  note: AuditEntry | undefined,
): Promise<boolean> {
  const changed = { kind: 'tenant', tenant: id, id } as const;
  const some = (statement: Statement) => async (query: Query) =>
    (await query(statement, [id])).length === 1 && changed;
  if (!(await noted(database, undefined, some(MARK_REMOVING)))) return false;
  for (const statement of TABLES) {
    while ((await database.query(statement, [id, STEP])).length > 0);
  }
  return noted(database, note, some(DELETE_TENANT));
}
