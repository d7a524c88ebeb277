import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { parseDuration } from '../core/duration.ts';
import type { ApiKey } from '../core/key.ts';
import type { Tenant } from '../core/tenant.ts';
import { retentionText } from '../service/audit.ts';
import type { RouteDeps } from './route-deps.ts';
import { originOf } from './audit.ts';
import { objectBody, rawBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { BuiltInFilter, NewFilter, NewKey, NewTenant, TenantChange } from './docs/schemas.ts';
import { filterJson } from './filters.ts';
import { sendEmpty, sendJson } from './reply.ts';

type TenantRequest = FastifyRequest<{ Params: { id: string } }>;
type KeyRequest = FastifyRequest<{ Params: { id: string; keyId: string } }>;
type NameRequest = FastifyRequest<{ Params: { name: string } }>;

/** `/admin`: what belongs to the installation. */
export function adminRoutes(deps: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    tenantRoutes(app, deps);
    keyRoutes(app, deps);
    ownFilterRoutes(app, deps);
    nodeRoutes(app, deps);
    done();
  };
}

function nodeRoutes(app: FastifyInstance, { library: { nodes } }: RouteDeps): void {
  const config = { access: 'admin' } as const;
  app.get('/admin/nodes', { config, schema: docs.listNodes }, async (_request, reply) => {
    const all = await nodes.list();
    const shown = all.map(({ name, version, startedAt, shards, silentMs }) => ({
      Name: name,
      Version: version,
      StartedAt: new Date(startedAt).toISOString(),
      Shards: shards,
      SilentMs: silentMs,
    }));
    return sendJson(reply, 200, shown);
  });
}

function tenantRoutes(app: FastifyInstance, { library: { tenants } }: RouteDeps): void {
  const config = { access: 'admin' } as const;
  app.get('/admin/tenants', { config, schema: docs.listTenants }, (_request, reply) =>
    sendJson(reply, 200, tenants.list().map(tenantJson)),
  );
  app.post('/admin/tenants', { config, schema: docs.createTenant }, async (request, reply) => {
    const { Id, Name, MaxPending = null, Retention } = objectBody(request, NewTenant);
    const retentionMs = retentionOf(Retention);
    const settings = { name: Name ?? Id, maxPending: MaxPending, retentionMs };
    return sendJson(reply, 201, tenantJson(await tenants.create(Id, settings, originOf(request))));
  });
  app.get(
    '/admin/tenants/:id',
    { config, schema: docs.getTenant },
    (request: TenantRequest, reply) =>
      sendJson(reply, 200, tenantJson(known(tenants.get(request.params.id), request.params.id))),
  );
  app.put(
    '/admin/tenants/:id',
    { config, schema: docs.changeTenant },
    async (request: TenantRequest, reply) => {
      const { id } = request.params;
      const { Name, MaxPending, Retention } = objectBody(request, TenantChange);
      const settings = {
        ...(Name === undefined ? {} : { name: Name }),
        ...(MaxPending === undefined ? {} : { maxPending: MaxPending }),
        ...(Retention === undefined ? {} : { retentionMs: retentionOf(Retention) }),
      };
      const changed = await tenants.change(id, settings, originOf(request));
      return sendJson(reply, 200, tenantJson(known(changed, id)));
    },
  );
  app.delete(
    '/admin/tenants/:id',
    { config, schema: docs.deleteTenant },
    async (request: TenantRequest, reply) => {
      if (await tenants.remove(request.params.id, originOf(request))) return sendEmpty(reply, 204);
      throw noTenant(request.params.id);
    },
  );
}

function keyRoutes(app: FastifyInstance, { library: { tenants, keys } }: RouteDeps): void {
  const config = { access: 'admin' } as const;
  app.get(
    '/admin/tenants/:id/keys',
    { config, schema: docs.listKeys },
    (request: TenantRequest, reply) => {
      const { id } = known(tenants.get(request.params.id), request.params.id);
      return sendJson(reply, 200, keys.list(id).map(keyJson));
    },
  );
  app.post(
    '/admin/tenants/:id/keys',
    { config, schema: docs.createKey },
    async (request: TenantRequest, reply) => {
      const { id } = known(tenants.get(request.params.id), request.params.id);
      const { Level, Name, ExpiresAt } = objectBody(request, NewKey);
      const asked = { level: Level, name: Name ?? '', expiresAt: expiryOf(ExpiresAt) };
      const { record, key } = await keys.create(id, asked, originOf(request));
      return sendJson(reply, 201, {
        Id: record.id,
        Key: key,
        Level: record.level,
        Name: record.name,
      });
    },
  );
  app.delete(
    '/admin/tenants/:id/keys/:keyId',
    { config, schema: docs.revokeKey },
    async (request: KeyRequest, reply) => {
      const { id, keyId } = request.params;
      if (await keys.revoke(id, keyId, originOf(request))) return sendEmpty(reply, 204);
      throw new AppError('not_found', `The tenant '${id.slice(0, 64)}' has no such key.`);
    },
  );
}

function ownFilterRoutes(app: FastifyInstance, { library: { filters } }: RouteDeps): void {
  const config = { access: 'admin' } as const;
  app.get('/admin/filters', { config, schema: docs.adminListFilters }, (_request, reply) =>
    sendJson(reply, 200, filters.list().map(filterJson)),
  );
  app.get(
    '/admin/filters/:name',
    { config, schema: docs.adminGetFilter },
    (request: NameRequest, reply) =>
      sendJson(
        reply,
        200,
        filterJson(knownFilter(filters.get(request.params.name), request.params.name)),
      ),
  );
  app.put(
    '/admin/filters/:name',
    { config, schema: docs.putFilter },
    async (request: NameRequest, reply) => {
      const { name } = request.params;
      if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name)) {
        throw new AppError(
          'bad_request',
          "A filter's name is 1 to 128 of A-Z a-z 0-9 _ . - and begins with a letter or digit.",
        );
      }
      const existed = filters.get(name) !== undefined;
      const filter = filters.isBuiltIn(name)
        ? asSet(knownFilter(filters.get(name), name), request)
        : filterOf(name, objectBody(request, NewFilter));
      await filters.put(filter, originOf(request));
      return sendJson(reply, existed ? 200 : 201, filterJson(filter));
    },
  );
  app.delete(
    '/admin/filters/:name',
    { config, schema: docs.deleteFilter },
    async (request: NameRequest, reply) => {
      if (await filters.remove(request.params.name, originOf(request)))
        return sendEmpty(reply, 204);
      throw new AppError('not_found', `There is no filter '${request.params.name.slice(0, 128)}'.`);
    },
  );
}

type FilterBody = ReturnType<typeof objectBody<typeof NewFilter>>;

/** Every document shows them whole. */
const MAX_SCHEMA_LENGTH = 65_536;

function filterOf(name: string, body: FilterBody): Filter {
  for (const member of ['Schema', 'Example'] as const) {
    if (JSON.stringify(body[member] ?? null).length > MAX_SCHEMA_LENGTH)
      throw new AppError('bad_request', `${member} takes at most 64 KiB of JSON.`);
  }
  const subjects = (body.Subjects ?? []).map(({ Kind, Path }) => ({ kind: Kind, path: Path }));
  const { Description, Schema = null, Example = null } = body;
  const told = { name, description: Description, schema: Schema, example: Example, subjects };
  return { ...told, ...settingsOf(body) };
}

/** Of a filter that is built in, what can be set. */
function asSet(filter: Filter, request: FastifyRequest): Filter {
  const own = Object.keys(NewFilter.properties).filter(
    (name) => !(name in BuiltInFilter.properties),
  );
  const given = rawBody(request, Object.keys(NewFilter.properties));
  if (own.some((name) => given.has(name)))
    throw new AppError(
      'conflict',
      `The filter '${filter.name}' is built in and stays as it is; ${Object.keys(BuiltInFilter.properties).join(' and ')} can be set.`,
    );
  return { ...filter, ...settingsOf(objectBody(request, BuiltInFilter)) };
}

/** Lists are walked through, whether or not a path says so. */
function settingsOf({
  Private = [],
  Retention,
}: Pick<FilterBody, 'Private' | 'Retention'>): Pick<Filter, 'private' | 'retentionMs'> {
  return {
    private: Private.map((path) => path.replaceAll('[]', '')),
    retentionMs: retentionOf(Retention),
  };
}

const SHORTEST_RETENTION_MS = 60_000;
const LONGEST_RETENTION_MS = 3650 * 86_400_000;

function retentionOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= SHORTEST_RETENTION_MS && ms <= LONGEST_RETENTION_MS) return ms;
  throw new AppError('bad_request', 'Retention is a duration from 1m to 3650d, such as 7d.');
}

function tenantJson({ id, name, createdAt, maxPending, retentionMs }: Tenant): object {
  const CreatedAt = new Date(createdAt).toISOString();
  const Retention = retentionText(retentionMs);
  return { Id: id, Name: name, CreatedAt, MaxPending: maxPending, Retention };
}

function keyJson({ id, level, name, createdAt, expiresAt }: ApiKey): object {
  return {
    Id: id,
    Level: level,
    Name: name,
    CreatedAt: new Date(createdAt).toISOString(),
    ExpiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}

function expiryOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null;
  const at = Date.parse(text);
  if (!Number.isNaN(at)) return at;
  throw new AppError(
    'bad_request',
    'ExpiresAt is a time with its zone, such as 2027-09-01T00:00:00Z.',
  );
}

function known(tenant: Tenant | undefined, id: string): Tenant {
  if (tenant === undefined) throw noTenant(id);
  return tenant;
}

function knownFilter(filter: Filter | undefined, name: string): Filter {
  if (filter === undefined)
    throw new AppError('not_found', `There is no filter '${name.slice(0, 128)}'.`);
  return filter;
}

function noTenant(id: string): AppError {
  return new AppError('not_found', `There is no tenant '${id.slice(0, 64)}'.`);
}
