import type { Row } from '../rows.ts';
import { parse } from '../rows.ts';
import type { Database, Statement } from './database.ts';

/** What nodes keep in memory. */
export type ChangeKind = 'registration' | 'filter' | 'tenant' | 'key';

const REGISTRATIONS: Statement = {
  name: 'registrations',
  text: 'select document from registrations order by tenant, id',
};
const FILTERS: Statement = {
  name: 'filters',
  text: 'select document from filters order by name',
};
const TENANTS: Statement = {
  name: 'tenants',
  text: 'select document from tenants order by id',
};
const KEYS: Statement = {
  name: 'keys',
  text: 'select document from api_keys order by tenant, id',
};

const ALL: Readonly<Record<ChangeKind, Statement>> = {
  registration: REGISTRATIONS,
  filter: FILTERS,
  tenant: TENANTS,
  key: KEYS,
};

/** Everything of a kind. */
export async function loadAll<T>(database: Database, kind: ChangeKind): Promise<readonly T[]> {
  const rows: readonly Row[] = await database.query(ALL[kind]);
  return rows.map((row) => parse<T>(row, 'document'));
}
