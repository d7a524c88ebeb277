import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry } from '../../core/audit.ts';
import { idAt } from '../../core/id.ts';
import type { Methods } from './protocol.ts';

const APPEND = `
insert into audit (id, tenant, record)
values (?, ?, ?)`;

const PRUNE = `
delete from audit
 where id in (
       select id
         from audit
        where id < ?
        order by id
        limit ?)`;

/** The record of who did what, beside the other writes: `methods` are those that can be noted. */
export function auditWrites(database: DatabaseSync, methods: Methods): Methods {
  const append = (entry: AuditEntry): void => {
    database.prepare(APPEND).run(entry.id, entry.tenant, JSON.stringify(entry));
  };
  return {
    note: append,
    /** Does what a method does and appends the entry, unless it changed nothing: one transaction. */
    noted: (entry: AuditEntry, method: string, ...args: never[]) => {
      const write = methods[method];
      if (write === undefined) throw new Error(`the store has no function ${method}`);
      const result = write(...args);
      if (result !== false) append(entry);
      return result;
    },
    pruneAudit: (before: number, limit: number) =>
      Number(database.prepare(PRUNE).run(idAt(before), limit).changes),
  };
}
