import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import { docs } from './docs/operations.ts';
import { sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

/** `/health` and `/metrics`: for probes and Prometheus. They tell nothing of tenants, so no key is asked for. */
export function serviceRoutes(deps: RouteDeps): FastifyPluginCallback {
  const config = { access: 'open' } as const;
  return (app: FastifyInstance, _options, done) => {
    app.get('/health/live', { config, schema: docs.live }, (_request, reply) =>
      sendJson(reply, 200, { Status: 'live' }),
    );
    app.get('/health/ready', { config, schema: docs.ready }, async (_request, reply) => {
      try {
        await deps.library.ready();
        return await sendJson(reply, 200, { Status: 'ready' });
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'unknown';
        return sendJson(reply, 503, { Status: 'not ready', Message: reason });
      }
    });
    app.get('/metrics', { config, schema: docs.metrics }, async (_request, reply) =>
      reply.header('content-type', deps.metrics.contentType).send(await deps.metrics.text()),
    );
    done();
  };
}
