import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { Registration } from '../core/registration.ts';
import type { RegisterOptions, RegistrationDraft, SecretRequest } from '../service/library.ts';
import { readRegistration } from '../service/registration-draft.ts';
import { attemptJson } from './attempt-json.ts';
import { originOf } from './audit.ts';
import { hasBody, objectBody, textBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { SecretChange, TestRequest } from './docs/schemas.ts';
import { link } from './links.ts';
import { readQuery, readTime } from './query.ts';
import { oldSecretJson, registrationJson } from './registration-json.ts';
import { sendEmpty, sendJson, sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type OneRequest = FastifyRequest<{ Params: { id: string } }>;

/** `/webhooks/registrations`: Microsoft's registrations API, and sending a test. */
export function registrationRoutes(deps: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    addReads(app, deps);
    addWrites(app, deps);
    addSecretChange(app, deps);
    addRemovals(app, deps);
    done();
  };
}

function addReads(app: FastifyInstance, deps: RouteDeps): void {
  const { registrations } = deps.library;
  const show = { showSecrets: deps.showSecrets };
  app.get(
    '/webhooks/registrations',
    { config: { access: 'read' }, schema: docs.listRegistrations },
    (request, reply) => {
      const found = filtered(registrations.list(request.caller.tenant), request);
      return sendText(reply, 200, `[${found.map((one) => registrationJson(one, show)).join(',')}]`);
    },
  );
  app.get(
    '/webhooks/registrations/:id',
    { config: { access: 'read' }, schema: docs.getRegistration },
    (request: OneRequest, reply) => {
      const found = registrations.get(request.caller.tenant, request.params.id);
      return found === undefined
        ? sendEmpty(reply, 404)
        : sendText(reply, 200, registrationJson(found, show));
    },
  );
}

function addWrites(app: FastifyInstance, deps: RouteDeps): void {
  const { registrations } = deps.library;
  app.post(
    '/webhooks/registrations',
    { config: { access: 'write' }, schema: docs.register },
    async (request, reply) => {
      const made = await registrations.register(
        request.caller.tenant,
        draftOf(request),
        options(deps, request),
      );
      reply.header(
        'location',
        link(deps, request, `/webhooks/registrations/${encodeURI(made.id)}`),
      );
      return sendText(reply, 201, registrationJson(made, { showSecrets: true }));
    },
  );
  app.put(
    '/webhooks/registrations/:id',
    { config: { access: 'write' }, schema: docs.replaceRegistration },
    async (request: OneRequest, reply) => {
      const { tenant } = request.caller;
      await registrations.replace(
        tenant,
        request.params.id,
        draftOf(request),
        options(deps, request),
      );
      return sendEmpty(reply, 200);
    },
  );
  app.post(
    '/webhooks/registrations/:id/test',
    { config: { access: 'write' }, schema: docs.testRegistration },
    (request: OneRequest, reply) => sendTest(deps, request, reply),
  );
}

function addSecretChange(app: FastifyInstance, deps: RouteDeps): void {
  app.post(
    '/webhooks/registrations/:id/secret',
    { config: { access: 'write' }, schema: docs.changeSecret },
    async (request: OneRequest, reply) => {
      const changed = await deps.library.registrations.changeSecret(
        request.caller.tenant,
        request.params.id,
        secretRequestOf(request),
        originOf(request),
      );
      if (changed === undefined) return sendEmpty(reply, 404);
      const { id, secret, secretId, oldSecrets } = changed;
      const answer = { Id: id, Secret: secret, SecretId: secretId };
      return sendJson(reply, 200, { ...answer, OldSecrets: oldSecrets.map(oldSecretJson) });
    },
  );
}

const OVERLAP_SECONDS = 24 * 3600;

function secretRequestOf(request: FastifyRequest): SecretRequest {
  const body = hasBody(request) ? objectBody(request, SecretChange) : {};
  const { Secret: secret = null, OverlapSeconds: seconds = OVERLAP_SECONDS } = body;
  const switchAt = body.SwitchAt ?? null;
  return {
    secret,
    overlapMs: seconds * 1000,
    switchAt: switchAt === null ? null : readTime(switchAt, 'SwitchAt'),
  };
}

function addRemovals(app: FastifyInstance, { library: { registrations } }: RouteDeps): void {
  app.delete(
    '/webhooks/registrations/:id',
    { config: { access: 'write' }, schema: docs.deleteRegistration },
    async (request: OneRequest, reply) => {
      const removed = await registrations.remove(
        request.caller.tenant,
        request.params.id,
        originOf(request),
      );
      return sendEmpty(reply, removed ? 200 : 404);
    },
  );
  app.delete(
    '/webhooks/registrations',
    { config: { access: 'write' }, schema: docs.deleteRegistrations },
    async (request, reply) => {
      // Read strictly: a misspelt parameter must not delete everything.
      const uri = readQuery(request, ['webHookUri']).get('webhookuri');
      const { tenant } = request.caller;
      const by = originOf(request);
      if (uri === undefined) await registrations.removeAll(tenant, by);
      else await registrations.removeByUri(tenant, uri, by);
      return sendEmpty(reply, 200);
    },
  );
}

async function sendTest(
  deps: RouteDeps,
  request: OneRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const filter = hasBody(request) ? (objectBody(request, TestRequest).Filter ?? null) : null;
  const result = await deps.library.registrations.test(
    request.caller.tenant,
    request.params.id,
    filter,
    originOf(request),
  );
  if (result === undefined) return sendEmpty(reply, 404);
  return sendJson(reply, 200, attemptJson(result.attempt, result.body));
}

function draftOf(request: FastifyRequest): RegistrationDraft {
  const draft = readRegistration(textBody(request));
  if (draft === undefined)
    throw new AppError('bad_request', 'The body is empty.', { emptyBody: true });
  return draft;
}

function options(deps: RouteDeps, request: FastifyRequest): RegisterOptions {
  const filtersUri = link(deps, request, '/webhooks/filters');
  return { verifyEcho: true, filtersUri, by: originOf(request) };
}

/** By exact URI and by filter, as automation tools look for what they made before. */
function filtered(all: readonly Registration[], request: FastifyRequest): readonly Registration[] {
  const query = readQuery(request, ['webHookUri', 'filter']);
  const uri = query.get('webhookuri');
  const filter = query.get('filter')?.toLowerCase();
  return all.filter(
    (one) =>
      (uri === undefined || one.webHookUri === uri) &&
      (filter === undefined || one.filters.some((name) => name.toLowerCase() === filter)),
  );
}
