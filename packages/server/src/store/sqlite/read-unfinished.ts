import type { DatabaseSync } from 'node:sqlite';
import type { Unfinished } from '../port.ts';
import { integer, text } from '../rows.ts';
import type { Methods } from './protocol.ts';

/** The next tenant that has any: two loose index scans. */
const NEXT = `
select tenant
  from (select tenant
          from (select tenant
                  from deliveries indexed by deliveries_pending
                 where state = 0
                   and tenant > ?1
                 order by tenant
                 limit 1)
         union all
        select tenant
          from (select tenant
                  from deliveries indexed by deliveries_held
                 where state = 3
                   and tenant > ?1
                 order by tenant
                 limit 1))
 order by tenant
 limit 1`;

const COUNT = `
select (select count(*)
          from deliveries indexed by deliveries_pending
         where state = 0
           and tenant = ?1) as pending,
       (select count(*)
          from deliveries indexed by deliveries_held
         where state = 3
           and tenant = ?1) as held`;

/** Counting goes on for so long before others get their turn. */
const SLICE_MS = 5;

/** `next`: after which tenant to go on; null at the end. */
export type UnfinishedSlice = {
  readonly rows: readonly Unfinished[];
  readonly next: string | null;
};

/** Counts of what waits. */
export function unfinishedReads(database: DatabaseSync): Methods {
  const nextTenant = database.prepare(NEXT);
  const count = database.prepare(COUNT);
  return {
    unfinished: (after: string): UnfinishedSlice => {
      const rows: Unfinished[] = [];
      const until = performance.now() + SLICE_MS;
      let next = after;
      while (performance.now() < until) {
        const found = nextTenant.get(next);
        if (found === undefined) return { rows, next: null };
        next = text(found, 'tenant');
        const counted = count.get(next) ?? {};
        const [pending, held] = [integer(counted, 'pending'), integer(counted, 'held')];
        rows.push({ tenant: next, pending, held });
      }
      return { rows, next };
    },
  };
}
