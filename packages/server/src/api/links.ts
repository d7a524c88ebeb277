import type { FastifyRequest } from 'fastify';
import type { RouteDeps } from './route-deps.ts';

/** Paths may be called under Microsoft's default prefix, too. */
const API_PREFIX = /^\/api(?=\/|\?|$)/i;

/** What was asked for, as path and query; clients may write it as an absolute URI (RFC 9112, 3.2.2). */
export function pathOf(target: string): string {
  return target.replace(/^https?:\/\/[^/?#]*/i, '');
}

/** The path as it is routed. */
export function withoutPrefix(target: string): string {
  const path = pathOf(target).replace(API_PREFIX, '');
  return path.startsWith('/') ? path : `/${path}`;
}

/** An absolute link to a path, under the prefix that the caller used. */
export function link(
  deps: Pick<RouteDeps, 'baseUrl'>,
  request: FastifyRequest,
  path: string,
): string {
  const prefix = API_PREFIX.test(pathOf(request.originalUrl)) ? '/api' : '';
  return `${origin(deps, request)}${prefix}${path}`;
}

/** Scheme and host as the caller sees them. X-Forwarded-Host is not read: many proxies pass on a stranger's. */
export function origin({ baseUrl }: Pick<RouteDeps, 'baseUrl'>, request: FastifyRequest): string {
  const scheme = request.protocol === 'https' ? 'https' : 'http';
  return baseUrl ?? `${scheme}://${request.headers.host ?? ''}`;
}
