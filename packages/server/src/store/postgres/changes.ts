import type { ConfigurationChange, ConfigurationChanges } from '../port.ts';
import { integer, parse, type Row, text } from '../rows.ts';
import type { Database, Statement } from './database.ts';

/** What nodes keep in memory. */
export type ChangeKind = ConfigurationChange['kind'];

const ALL: Readonly<Record<ChangeKind, Statement>> = {
  registration: {
    name: 'registrations',
    text: 'select document from registrations order by tenant, id',
  },
  filter: { name: 'filters', text: 'select document from filters order by name' },
  tenant: { name: 'tenants', text: 'select document from tenants order by id' },
  key: { name: 'keys', text: 'select document from api_keys order by tenant, id' },
};

const VERSION: Statement = { name: 'version', text: 'select version from configuration' };

/** Each thing that changed, as it is now; one that is gone has no document. */
const CHANGES: Statement = {
  name: 'changes',
  text: `
select v.version, c.kind, c.tenant, c.id,
       coalesce(r.document, f.document, t.document, k.document) as document
  from configuration v
  left join (
       select distinct kind, tenant, id
         from configuration_changes
        where version > $1) c
    on true
  left join registrations r
    on c.kind = 'registration'
   and r.tenant = c.tenant
   and r.id = c.id
  left join filters f
    on c.kind = 'filter'
   and f.name = c.id
  left join tenants t
    on c.kind = 'tenant'
   and t.id = c.id
   and not t.removing
  left join api_keys k
    on c.kind = 'key'
   and k.tenant = c.tenant
   and k.id = c.id`,
};

const FORGET: Statement = {
  name: 'forget changes',
  text: "delete from configuration_changes where changed_at < now() - interval '7 days'",
};

/** Everything of a kind. */
export async function loadAll<T>(database: Database, kind: ChangeKind): Promise<readonly T[]> {
  const rows: readonly Row[] = await database.query(ALL[kind]);
  return rows.map((row) => parse<T>(row, 'document'));
}

export async function changes(
  database: Database,
  version: number | null,
): Promise<ConfigurationChanges> {
  const rows =
    version === null ? await database.query(VERSION) : await database.query(CHANGES, [version]);
  const [first = {}] = rows;
  const changed = version === null ? [] : rows.filter((row) => row['kind'] !== null);
  return { version: integer(first, 'version'), changes: changed.map(toChange) };
}

/** Changes that every node has seen long ago. */
export async function forgetChanges(database: Database): Promise<void> {
  await database.query(FORGET);
}

function toChange(row: Row): ConfigurationChange {
  const [kind, tenant, id] = [
    text(row, 'kind') as ChangeKind,
    text(row, 'tenant'),
    text(row, 'id'),
  ];
  const value = row['document'] === null ? undefined : parse<never>(row, 'document');
  return kind === 'registration' || kind === 'key'
    ? { kind, tenant, id, value }
    : { kind, id, value };
}
