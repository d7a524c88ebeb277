import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { maskQuery } from '../core/mask.ts';
import { origin, pathOf } from './links.ts';
import type { RouteDeps } from './route-deps.ts';
import { sendEmpty, sendJson } from './reply.ts';

type KnownRoute = { readonly pattern: RegExp; readonly method: string };

/**
 * Answers calls that no route takes: 405 where the path is known, else 404, both with Microsoft's
 * texts. Register before the routes: it looks at each as it is added.
 */
export function addUnknownRoute(app: FastifyInstance, deps: Pick<RouteDeps, 'baseUrl'>): void {
  const known: KnownRoute[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    for (const each of [method].flat()) known.push({ pattern: patternOf(url), method: each });
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (allowed.length === 0) {
      const uri = maskQuery(`${origin(deps, request)}${pathOf(request.originalUrl)}`);
      return sendJson(reply, 404, {
        Message: `No HTTP resource was found that matches the request URI '${uri}'.`,
      });
    }
    reply.header('allow', [...new Set(allowed)].join(', '));
    if (request.method === 'HEAD') return sendEmpty(reply, 405);
    const Message = `The requested resource does not support http method '${request.method}'.`;
    return sendJson(reply, 405, { Message });
  });
}

function patternOf(url: string): RegExp {
  const source = url
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/:[A-Za-z]+/g, '[^/]+');
  return new RegExp(`^${source}/?$`, 'i');
}
