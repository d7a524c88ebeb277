import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { AuditEntry, Origin } from '../core/audit.ts';
import type { AuditListQuery, Page } from '../service/library.ts';
import { docs } from './docs/operations.ts';
import { given, limitOf, readQuery, timeOf } from './query.ts';
import { sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

const PARAMETERS = ['from', 'to', 'cursor', 'limit'];

/** `/webhooks/audit` and `/admin/audit`: who did what. */
export function auditRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { audit } = deps.library;
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/audit',
      { config: { access: 'read' }, schema: docs.listAudit },
      async (request, reply) => {
        const query = listQuery(readQuery(request, PARAMETERS));
        return sendJson(reply, 200, pageJson(await audit.ofTenant(request.caller.tenant, query)));
      },
    );
    app.get(
      '/admin/audit',
      { config: { access: 'admin' }, schema: docs.adminListAudit },
      async (request, reply) => {
        const query = readQuery(request, [...PARAMETERS, 'tenant']);
        const ofTenant = given({ tenant: query.get('tenant') });
        const page = await audit.list({ ...listQuery(query), ...ofTenant });
        return sendJson(reply, 200, pageJson(page));
      },
    );
    done();
  };
}

/** Who calls, for the audit log: the route, never the path, which may hold a stranger's text. */
export function originOf(request: FastifyRequest): Origin {
  const { level, keyId = null, keyName = null } = request.caller;
  const call = `${request.method} ${request.routeOptions.url ?? ''}`;
  return { level, keyId, keyName, call, address: request.ip, requestId: request.id };
}

function listQuery(query: ReadonlyMap<string, string>): AuditListQuery {
  return {
    limit: limitOf(query),
    ...given({ cursor: query.get('cursor') }),
    ...given({ from: timeOf(query, 'from'), to: timeOf(query, 'to') }),
  };
}

function pageJson({ items, next }: Page<AuditEntry>): object {
  return { Items: items.map(entryJson), Next: next };
}

function entryJson(entry: AuditEntry): object {
  return {
    Id: entry.id,
    At: new Date(entry.at).toISOString(),
    Tenant: entry.tenant,
    Change: entry.what,
    Target: entry.target,
    By: {
      Level: entry.level,
      KeyId: entry.keyId,
      KeyName: entry.keyName,
      Call: entry.call,
      Address: entry.address,
      RequestId: entry.requestId,
    },
    Before: entry.before,
    After: entry.after,
  };
}
