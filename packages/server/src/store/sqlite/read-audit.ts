import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '../../core/audit.ts';
import type { AuditQuery } from '../port.ts';
import { type Condition, idRange, values, where } from './conditions.ts';
import type { Methods } from './protocol.ts';
import { parse } from '../rows.ts';

/** The record of who did what. */
export function auditReads(database: DatabaseSync): Methods {
  return {
    audit: (query: AuditQuery) => {
      const conditions: Condition[] = idRange(query, 'id');
      if (query.tenant !== undefined) conditions.unshift(['tenant = ?', query.tenant]);
      const sql = `select record\n  from audit${where(conditions)}\n order by id desc\n limit ?`;
      const rows = database.prepare(sql).all(...values(conditions), query.limit);
      return rows.map((row) => parse<AuditEntry>(row, 'record'));
    },
  };
}
