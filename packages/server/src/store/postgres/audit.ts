import type { AuditEntry } from '../../core/audit.ts';
import { idAt } from '../../core/id.ts';
import type { AuditQuery } from '../port.ts';
import { parse } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database, Query, Statement } from './database.ts';

const APPEND: Statement = {
  name: 'append entry',
  text: 'insert into audit (tenant, id, record) values ($1, $2, $3)',
};

const PRUNE: Statement = {
  name: 'prune audit',
  text: `
with old as (
  select tenant, id
    from audit
   where id < $1
   order by id
   limit $2)
delete from audit a
 using old o
 where a.tenant = o.tenant
   and a.id = o.id
returning a.id`,
};

/** Of the installation, where there is no tenant. */
const NO_TENANT = '';

export async function appendEntry(query: Query, entry: AuditEntry): Promise<void> {
  await query(APPEND, [entry.tenant ?? NO_TENANT, entry.id, JSON.stringify(entry)]);
}

export async function audit(database: Database, query: AuditQuery): Promise<readonly AuditEntry[]> {
  const conditions = new Conditions();
  if (query.tenant !== undefined) conditions.add('tenant = ?', query.tenant);
  conditions.idRange('id', query);
  const sql = `select record\n  from audit${conditions.where}\n order by id desc`;
  const rows = await conditions.read(database, sql, query.limit);
  return rows.map((row) => parse<AuditEntry>(row, 'record'));
}

export async function pruneAudit(
  database: Database,
  before: number,
  limit: number,
): Promise<number> {
  return (await database.query(PRUNE, [idAt(before), limit])).length;
}
