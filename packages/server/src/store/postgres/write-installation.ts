import type { AuditEntry } from '../../core/audit.ts';
import type { Filter } from '../../core/filter.ts';
import type { ApiKey } from '../../core/key.ts';
import type { Registration } from '../../core/registration.ts';
import type { Tenant } from '../../core/tenant.ts';
import type { ChangeKind } from './changes.ts';
import { codeOf, type Database, NOT_TEXT, type Query, type Statement } from './database.ts';
import { appendEntry } from './audit.ts';

/** What every node keeps in memory: a change of it takes the next version of the configuration. */
const CHANGED: Statement = {
  name: 'changed',
  text: `
with next as (
  update configuration
     set version = version + 1
  returning version)
insert into configuration_changes (version, kind, tenant, id)
select version, $1, $2, $3
  from next
returning pg_notify('schoolbell', 'configuration')`,
};

const INSERT_REGISTRATION: Statement = {
  name: 'insert registration',
  text: 'insert into registrations (tenant, id, document) values ($1, $2, $3)',
};

const UPDATE_REGISTRATION: Statement = {
  name: 'update registration',
  text: 'update registrations set document = $3 where tenant = $1 and id = $2 returning id',
};

const DELETE_REGISTRATION: Statement = {
  name: 'delete registration',
  text: 'delete from registrations where tenant = $1 and id = $2 returning id',
};

const DELETE_STREAK: Statement = {
  name: 'delete streak',
  text: 'delete from streaks where tenant = $1 and registration_id = $2',
};

const PUT_FILTER: Statement = {
  name: 'put filter',
  text: `
insert into filters (name, document)
values ($1, $2)
    on conflict (name) do update
   set document = excluded.document`,
};

const DELETE_FILTER: Statement = {
  name: 'delete filter',
  text: 'delete from filters where name = $1 returning name',
};

const INSERT_TENANT: Statement = {
  name: 'insert tenant',
  text: 'insert into tenants (id, document) values ($1, $2) on conflict do nothing returning id',
};

const UPDATE_TENANT: Statement = {
  name: 'update tenant',
  text: 'update tenants set document = $2 where id = $1 returning id',
};

const INSERT_KEY: Statement = {
  name: 'insert key',
  text: 'insert into api_keys (tenant, id, document) values ($1, $2, $3)',
};

const DELETE_KEY: Statement = {
  name: 'delete key',
  text: 'delete from api_keys where tenant = $1 and id = $2 returning id',
};

const SETTING: Statement = {
  name: 'setting',
  text: 'select value from settings where name = $1',
};

const PUT_SETTING: Statement = {
  name: 'put setting',
  text: `
insert into settings (name, value)
values ($1, $2)
    on conflict (name) do update
   set value = excluded.value`,
};

/** What is changed, and whose it is. */
export type Changed = { readonly kind: ChangeKind; readonly tenant: string; readonly id: string };

/**
 * Does a write and what goes with it in one transaction, unless it changed nothing: the entry of the
 * audit log, and the next version of the configuration where nodes keep the thing in memory.
 */
export function noted(
  database: Database,
  note: AuditEntry | undefined,
  write: (query: Query) => Promise<Changed | boolean>,
): Promise<boolean> {
  return database.transaction(async (query) => {
    const changed = await write(query);
    if (changed === false) return false;
    if (changed !== true) await query(CHANGED, [changed.kind, changed.tenant, changed.id]);
    if (note !== undefined) await appendEntry(query, note);
    return true;
  });
}

/** The same for a thing that is named by its caller: there is none with an id that no column can hold. */
export function notedIfKnown(
  ...[database, note, write]: Parameters<typeof noted>
): Promise<boolean> {
  return noted(database, note, write).catch((error: unknown) => {
    if (codeOf(error) === NOT_TEXT) return false;
    throw error;
  });
}

/** The changes of what nodes keep in memory; each says what it changed, or that it changed nothing. */
export const writes = {
  insertRegistration: (registration: Registration) => async (query: Query) => {
    const { tenant, id } = registration;
    await query(INSERT_REGISTRATION, [tenant, id, JSON.stringify(registration)]);
    return { kind: 'registration', tenant, id } as const;
  },
  updateRegistration: (registration: Registration) => async (query: Query) => {
    const { tenant, id } = registration;
    const rows = await query(UPDATE_REGISTRATION, [tenant, id, JSON.stringify(registration)]);
    return rows.length === 1 && ({ kind: 'registration', tenant, id } as const);
  },
  deleteRegistration: (tenant: string, id: string) => async (query: Query) => {
    await query(DELETE_STREAK, [tenant, id]);
    const rows = await query(DELETE_REGISTRATION, [tenant, id]);
    return rows.length === 1 && ({ kind: 'registration', tenant, id } as const);
  },

  putFilter: (filter: Filter) => async (query: Query) => {
    const id = filter.name.toLowerCase();
    await query(PUT_FILTER, [id, JSON.stringify(filter)]);
    return { kind: 'filter', tenant: '', id } as const;
  },
  deleteFilter: (name: string) => async (query: Query) => {
    const id = name.toLowerCase();
    const rows = await query(DELETE_FILTER, [id]);
    return rows.length === 1 && ({ kind: 'filter', tenant: '', id } as const);
  },

  insertTenant: (tenant: Tenant) => async (query: Query) => {
    const { id } = tenant;
    const rows = await query(INSERT_TENANT, [id, JSON.stringify(tenant)]);
    return rows.length === 1 && ({ kind: 'tenant', tenant: id, id } as const);
  },
  updateTenant: (tenant: Tenant) => async (query: Query) => {
    const { id } = tenant;
    const rows = await query(UPDATE_TENANT, [id, JSON.stringify(tenant)]);
    return rows.length === 1 && ({ kind: 'tenant', tenant: id, id } as const);
  },

  insertKey: (key: ApiKey) => async (query: Query) => {
    const { tenant, id } = key;
    await query(INSERT_KEY, [tenant, id, JSON.stringify(key)]);
    return { kind: 'key', tenant, id } as const;
  },
  deleteKey: (tenant: string, id: string) => async (query: Query) => {
    const rows = await query(DELETE_KEY, [tenant, id]);
    return rows.length === 1 && ({ kind: 'key', tenant, id } as const);
  },
};

export async function setting(database: Database, name: string): Promise<string | undefined> {
  const [row] = await database.query(SETTING, [name]);
  return row === undefined ? undefined : String(row['value']);
}

export async function putSetting(database: Database, name: string, value: string): Promise<void> {
  await database.query(PUT_SETTING, [name, value]);
}

/** Throws when nothing can be written now. */
export async function check(database: Database): Promise<void> {
  await putSetting(database, 'last check', String(Date.now()));
}
