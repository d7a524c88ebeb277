import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { HeldPart, HeldPreview } from '../service/library.ts';
import { originOf } from './audit.ts';
import { hasBody, objectBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { Resume } from './docs/schemas.ts';
import { sendEmpty, sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type OneRequest = FastifyRequest<{ Params: { id: string } }>;

/** `/webhooks/registrations/{id}/resume`: what is held, and what becomes of it. */
export function resumingRoutes({ library: { resuming } }: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/registrations/:id/resume',
      { config: { access: 'read' }, schema: docs.previewResume },
      async (request: OneRequest, reply) => {
        const found = await resuming.preview(request.caller.tenant, request.params.id);
        return found === undefined
          ? sendEmpty(reply, 404)
          : sendJson(reply, 200, previewJson(found));
      },
    );
    app.post(
      '/webhooks/registrations/:id/resume',
      { config: { access: 'write' }, schema: docs.resumeRegistration },
      async (request: OneRequest, reply) => {
        const { Held: choice = 'all' } = hasBody(request) ? objectBody(request, Resume) : {};
        const { tenant } = request.caller;
        const by = originOf(request);
        const resumed = await resuming.resume(tenant, request.params.id, choice, by);
        if (resumed === undefined) return sendEmpty(reply, 404);
        const { held, cancelled } = resumed;
        const sent = { Sent: held.count, SentIsExact: held.isExact };
        return sendJson(reply, 200, { Held: choice, ...sent, Cancelled: cancelled });
      },
    );
    done();
  };
}

function previewJson({ held, all, newest }: HeldPreview): object {
  return {
    Held: held.count,
    HeldIsExact: held.isExact,
    All: partJson(all),
    Newest: partJson(newest),
    None: partJson({ sent: 0, seconds: 0 }),
  };
}

function partJson({ sent, seconds }: HeldPart): object {
  return { Sent: sent, EstimatedSeconds: seconds };
}
