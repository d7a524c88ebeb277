import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Filter } from '../../core/filter.ts';
import type { ApiKey } from '../../core/key.ts';
import type { Registration } from '../../core/registration.ts';
import type { Tenant } from '../../core/tenant.ts';
import type { Methods } from './protocol.ts';
import { integer, integerOrNull, parse, type Row, text } from '../rows.ts';

/** Everything an operator or a subscriber sets up: small tables, written seldom, read at start. */
export function installationWrites(database: DatabaseSync): Methods {
  return {
    ...tenantWrites(database),
    ...keyWrites(database),
    ...registrationWrites(database),
    ...filterWrites(database),
    ...settingWrites(database),
  };
}

/** Prepares on first use: these statements are rare and their tables small. */
function runner(database: DatabaseSync): (sql: string, ...values: SQLInputValue[]) => boolean {
  return (sql, ...values) => database.prepare(sql).run(...values).changes > 0;
}

function tenantWrites(database: DatabaseSync): Methods {
  const run = runner(database);
  return {
    tenants: () => database.prepare('select * from tenants order by id').all().map(toTenant),
    insertTenant: ({ id, name, createdAt, maxPending, retentionMs = null }: Tenant) =>
      run(
        'insert or ignore into tenants (id, name, created_at, max_pending, retention) values (?, ?, ?, ?, ?)',
        id,
        name,
        createdAt,
        maxPending,
        retentionMs,
      ),
    updateTenant: ({ id, name, maxPending, retentionMs = null }: Tenant) =>
      run(
        'update tenants set name = ?, max_pending = ?, retention = ? where id = ?',
        name,
        maxPending,
        retentionMs,
        id,
      ),
  };
}

function toTenant(row: Row): Tenant {
  const retentionMs = integerOrNull(row, 'retention');
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    createdAt: integer(row, 'created_at'),
    maxPending: integerOrNull(row, 'max_pending'),
    ...(retentionMs === null ? {} : { retentionMs }),
  };
}

const INSERT_KEY = `
insert into api_keys (tenant, id, level, name, hash, created_at, expires_at)
values (?, ?, ?, ?, ?, ?, ?)`;

function keyWrites(database: DatabaseSync): Methods {
  const run = runner(database);
  return {
    keys: () => database.prepare('select * from api_keys order by tenant, id').all().map(toKey),
    insertKey: (key: ApiKey) => {
      run(
        INSERT_KEY,
        key.tenant,
        key.id,
        key.level,
        key.name,
        key.hash,
        key.createdAt,
        key.expiresAt,
      );
    },
    deleteKey: (tenant: string, id: string) =>
      run('delete from api_keys where tenant = ? and id = ?', tenant, id),
  };
}

function toKey(row: Row): ApiKey {
  return {
    id: text(row, 'id'),
    tenant: text(row, 'tenant'),
    level: text(row, 'level') as ApiKey['level'],
    name: text(row, 'name'),
    hash: text(row, 'hash'),
    createdAt: integer(row, 'created_at'),
    expiresAt: integerOrNull(row, 'expires_at'),
  };
}

function registrationWrites(database: DatabaseSync): Methods {
  const run = runner(database);
  return {
    registrations: () =>
      database
        .prepare('select document from registrations order by tenant, id')
        .all()
        .map((row) => parse<Registration>(row, 'document')),
    insertRegistration: (registration: Registration) => {
      const { tenant, id } = registration;
      const document = JSON.stringify(registration);
      run(
        'insert into registrations (tenant, id, document) values (?, ?, ?)',
        tenant,
        id,
        document,
      );
    },
    updateRegistration: (registration: Registration) => {
      const { tenant, id } = registration;
      const document = JSON.stringify(registration);
      return run(
        'update registrations set document = ? where tenant = ? and id = ?',
        document,
        tenant,
        id,
      );
    },
    deleteRegistration: (tenant: string, id: string) => {
      run('delete from streaks where tenant = ? and registration_id = ?', tenant, id);
      return run('delete from registrations where tenant = ? and id = ?', tenant, id);
    },
  };
}

function filterWrites(database: DatabaseSync): Methods {
  const run = runner(database);
  return {
    filters: () =>
      database
        .prepare('select document from filters order by name')
        .all()
        .map((row) => parse<Filter>(row, 'document')),
    putFilter: (filter: Filter) => {
      const document = JSON.stringify(filter);
      run('insert or replace into filters (name, document) values (?, ?)', filter.name, document);
    },
    deleteFilter: (name: string) => run('delete from filters where name = ?', name),
  };
}

function settingWrites(database: DatabaseSync): Methods {
  const run = runner(database);
  return {
    setting: (name: string) => {
      const row = database.prepare('select value from settings where name = ?').get(name);
      return row === undefined ? undefined : text(row, 'value');
    },
    putSetting: (name: string, value: string) => {
      run('insert or replace into settings (name, value) values (?, ?)', name, value);
    },
    check: () => {
      run(
        "insert or replace into settings (name, value) values ('last check', ?)",
        String(Date.now()),
      );
    },
  };
}
