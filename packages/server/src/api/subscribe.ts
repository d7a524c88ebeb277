import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { RegistrationDraft } from '../service/library.ts';
import { readRegistration } from '../service/registration-draft.ts';
import { originOf } from './audit.ts';
import { textBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { link } from './links.ts';
import { registrationJson } from './registration-json.ts';
import { sendEmpty, sendJson, sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type FilterRequest = FastifyRequest<{ Params: { filter: string } }>;

/**
 * `/webhooks/subscribe`: what Power Automate, Logic Apps, Zapier, Make and n8n call. The event is
 * in the path and the body names the callback alone; callbacks of such tools answer no GET, so
 * there is no echo.
 */
export function subscribeRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { registrations, filters } = deps.library;
  return (app: FastifyInstance, _options, done) => {
    app.post(
      '/webhooks/subscribe/:filter',
      { config: { access: 'write' }, schema: docs.subscribe },
      async (request: FilterRequest, reply) => {
        const filter = filters.get(request.params.filter);
        if (filter === undefined) {
          throw new AppError(
            'not_found',
            `There is no filter '${request.params.filter.slice(0, 128)}'.`,
          );
        }
        const draft: RegistrationDraft = { ...callbackOf(request), filters: [filter.name] };
        const options = {
          verifyEcho: false,
          filtersUri: link(deps, request, '/webhooks/filters'),
          by: originOf(request),
        };
        const made = await registrations.register(request.caller.tenant, draft, options);
        reply.header(
          'location',
          link(deps, request, `/webhooks/subscribe/${encodeURIComponent(made.id)}`),
        );
        return sendText(
          reply,
          201,
          registrationJson(made, { showSecrets: true, withLowerId: true }),
        );
      },
    );
    /** A tool may ask twice, or for what a person removed before it: gone is gone. */
    app.delete(
      '/webhooks/subscribe/:filter',
      { config: { access: 'write' }, schema: docs.deleteSubscription },
      async (request: FilterRequest, reply) => {
        const by = originOf(request);
        await registrations.remove(request.caller.tenant, request.params.filter, by);
        return sendEmpty(reply, 200);
      },
    );
    app.post(
      '/webhooks/unsubscribe',
      { config: { access: 'write' }, schema: docs.unsubscribe },
      async (request, reply) => {
        const { webHookUri } = callbackOf(request);
        const by = originOf(request);
        const removed = await registrations.removeByUri(request.caller.tenant, webHookUri, by);
        return sendJson(reply, 200, { Removed: removed });
      },
    );
    done();
  };
}

function callbackOf(request: FastifyRequest): RegistrationDraft {
  const draft = readRegistration(textBody(request));
  if (draft === undefined) throw new AppError('bad_request', 'Send {"WebHookUri": "https://…"}.');
  return draft;
}
