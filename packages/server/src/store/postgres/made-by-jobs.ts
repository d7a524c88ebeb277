import type { Id } from '../../core/id.ts';
import { text } from '../rows.ts';
import { Conditions } from './conditions.ts';
import type { Database } from './database.ts';
import { addKeys, COMMON_PICK } from './search-parts.ts';

const TABLES = ['deliveries d', 'ended_deliveries d'];

/** True where jobs made deliveries for the tenant since then. */
export async function hasMadeByJobs(
  database: Database,
  { tenant, from }: { readonly tenant: string; readonly from?: number },
): Promise<boolean> {
  const conditions = new Conditions();
  conditions.add('d.tenant = ?', tenant);
  conditions.idRange('d.id', from === undefined ? {} : { from });
  const sql = TABLES.map(
    (table) => `(select 1 from ${table}${conditions.where} and d.job_id is not null limit 1)`,
  ).join('\n union all ');
  return (await conditions.read(database, `\nselect 1 from (${sql}) d`, 1)).length > 0;
}

/** With more events, or more that was made of them, what all jobs made is looked through instead. */
const FEW = 100;

/**
 * What jobs made of the events of keys: the ids where these are few, else undefined. Few people have
 * many events, and many jobs may have sent the events of others again.
 */
export async function madeOfFew(
  database: Database,
  tenant: string,
  keys: readonly string[],
): Promise<readonly Id[] | undefined> {
  if (!(await hasMadeByJobs(database, { tenant }))) return [];
  const conditions = new Conditions();
  addKeys(conditions, tenant, keys);
  const made = TABLES.map(
    (table) => `
       select d.id
         from ${table}
        where d.tenant = k.tenant
          and d.event_id = k.event_id
          and d.job_id is not null
          and ${COMMON_PICK}`,
  ).join('\n        union all');
  const sql = `
select d.id
  from (select k.tenant, k.event_id, k.picks
          from event_keys k${conditions.where}
         limit ${FEW + 1}) k
  left join lateral (${made}
       offset 0) d
    on true`;
  const rows = await conditions.read(database, sql, FEW + 1);
  if (rows.length > FEW) return undefined;
  return rows.flatMap((row) => (row['id'] === null ? [] : [text(row, 'id')]));
}
