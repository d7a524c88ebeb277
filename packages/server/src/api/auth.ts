import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { Caller } from '../core/key.ts';
import { DEFAULT_TENANT } from '../core/tenant.ts';
import type { Library } from '../service/library.ts';
import { digestOf } from './credentials.ts';
import { FailureLimiter } from './failure-limiter.ts';
import type { Access } from './route-deps.ts';

const MAY: Readonly<Record<Exclude<Access, 'open'>, ReadonlySet<Caller['level']>>> = {
  read: new Set(['Read only', 'Full control', 'Admin']),
  write: new Set(['Full control', 'Admin']),
  publish: new Set(['Publish', 'Full control', 'Admin']),
  admin: new Set(['Admin']),
};

/**
 * The one place that checks keys. Sets `request.caller` or throws: 401 before anything else is
 * looked at, 429 for wrong keys after too many of them, 403 for a key of another level.
 */
export function createAuthentication(
  library: Pick<Library, 'keys' | 'tenants' | 'refresh'>,
): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const limiter = new FailureLimiter();
  return async (request, reply) => {
    const access = request.routeOptions.config.access ?? 'admin';
    if (access === 'open') return;
    const digest = digestOf(request.raw);
    const identity =
      digest === undefined ? undefined : await identify(request, { access, digest, library });
    if (identity === undefined) {
      // A right key is never refused: behind a proxy all callers share one address.
      if (digest !== undefined) limiter.failed(request.ip, digest);
      reply.header('www-authenticate', 'Basic realm="Schoolbell", charset="UTF-8"');
      throw new AppError('unauthorized', 'Authorization has been denied for this request.');
    }
    const tenant = tenantOf(request, identity, library);
    request.caller = { ...identity, tenant };
    refuseLevel(request.caller, access);
  };
}

type Asked = {
  readonly access: Access;
  readonly digest: string;
  readonly library: Pick<Library, 'keys' | 'tenants' | 'refresh'>;
};

/**
 * What is published is matched with registrations as they are at its commit, so that a publisher
 * this node knows need not wait. Everyone else sees what was changed on any node before.
 */
async function identify(
  { headers }: FastifyRequest,
  { access, digest, library: { keys, tenants, refresh } }: Asked,
): Promise<ReturnType<Library['keys']['authenticate']>> {
  const known = access === 'publish' ? keys.authenticate(digest) : undefined;
  const asked = headers['schoolbell-tenant'];
  if (known !== undefined && (typeof asked !== 'string' || tenants.get(asked) !== undefined))
    return known;
  await refresh();
  return keys.authenticate(digest);
}

/** The credential decides; only an admin names a tenant. A foreign one answers as an unknown one. */
function tenantOf(
  request: FastifyRequest,
  identity: { readonly level: Caller['level']; readonly tenant?: string },
  library: Pick<Library, 'tenants'>,
): string {
  const header = request.headers['schoolbell-tenant'];
  const asked = typeof header === 'string' ? header : undefined;
  const own = identity.tenant ?? asked ?? DEFAULT_TENANT;
  if ((asked === undefined || asked === own) && library.tenants.get(own) !== undefined) return own;
  if (asked === undefined && identity.level === 'Admin') return own;
  throw new AppError('not_found', `There is no tenant '${(asked ?? own).slice(0, 64)}'.`);
}

function refuseLevel(caller: Caller, access: Exclude<Access, 'open'>): void {
  if (MAY[access].has(caller.level)) return;
  const needed = [...MAY[access]].join(', ');
  throw new AppError(
    'forbidden',
    `This call needs a key of level ${needed}; this key's level is ${caller.level}.`,
  );
}
