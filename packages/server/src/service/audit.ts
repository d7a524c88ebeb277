import { createHash } from 'node:crypto';
import { durationText } from '../core/duration.ts';
import type { Filter } from '../core/filter.ts';
import type { ApiKey } from '../core/key.ts';
import { maskQuery } from '../core/mask.ts';
import type { Registration } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';
import type { Tenant } from '../core/tenant.ts';
import type { Store } from '../store/port.ts';
import type { Audit, Tenants } from './library.ts';
import { readPage } from './page.ts';

export type AuditDeps = {
  readonly store: Pick<Store, 'audit'>;
  readonly tenants: Pick<Tenants, 'get'>;
};

/** The record of who did what. */
export function createAudit({ store, tenants }: AuditDeps): Audit {
  return {
    list: (query) => readPage(query, (asked) => store.audit(asked)),
    ofTenant: (tenant, query) => {
      // An earlier tenant of this id was another institution.
      const since = tenants.get(tenant)?.createdAt ?? 0;
      const from = Math.max(since, query.from ?? 0);
      return readPage({ ...query, tenant, from }, (asked) => store.audit(asked));
    },
  };
}

/** A registration as the audit log shows it: secrets by name, so that a change of one is seen. */
export function registrationNote(
  sealer: Pick<Sealer, 'nameOf'>,
  registration: Registration,
): object {
  const { id, tenant, webHookUri, headers, properties } = registration;
  const nameOf = (field: string, text: string): string =>
    sealer.nameOf(text, { tenant, owner: id, field });
  const masked = maskQuery(webHookUri);
  return {
    Id: id,
    WebHookUri: masked === webHookUri ? masked : `${masked} ${nameOf('WebHookUri', webHookUri)}`,
    Secret: nameOf('Secret', registration.secret),
    ...oldSecretsNote(registration),
    Description: registration.description,
    IsPaused: registration.isPaused,
    Filters: registration.filters,
    Headers: headers.map(([name, value]) => ({
      Name: name,
      Value: nameOf(`Headers ${name}`, value),
    })),
    Properties: properties,
    Conditions: registration.conditions,
    ...(registration.ordering === undefined ? {} : { Ordering: registration.ordering }),
    SwitchedOff: registration.switchedOff,
  };
}

function oldSecretsNote({ oldSecrets }: Registration): object {
  if (oldSecrets.length === 0) return {};
  return { OldSecrets: oldSecrets.map(({ id, until }) => ({ Id: id, Until: isoTime(until) })) };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Schema and example can be long: they are told apart by their digests. */
export function filterNote(filter: Filter): object {
  const { name, description, schema, example, subjects } = filter;
  return {
    Name: name,
    Description: description,
    Schema: digestOf(schema),
    Example: digestOf(example),
    Subjects: subjects.map(({ kind, path }) => ({ Kind: kind, Path: path })),
    Private: filter.private,
    Retention: retentionText(filter.retentionMs),
  };
}

export function tenantNote({ id, name, maxPending, retentionMs }: Tenant): object {
  return { Id: id, Name: name, MaxPending: maxPending, Retention: retentionText(retentionMs) };
}

/** As operators write it. */
export function retentionText(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : durationText(ms);
}

/** Never with the key or its hash. */
export function keyNote({ id, level, name, expiresAt }: ApiKey): object {
  return {
    Id: id,
    Level: level,
    Name: name,
    ExpiresAt: expiresAt === null ? null : isoTime(expiresAt),
  };
}

function digestOf(value: object | null): string | null {
  if (value === null) return null;
  return `sha256:${createHash('sha256').update(JSON.stringify(value)).digest('hex')}`;
}
