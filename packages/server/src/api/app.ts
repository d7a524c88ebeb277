import Fastify, { type FastifyInstance } from 'fastify';
import { AppError } from '../core/errors.ts';
import { newId } from '../core/id.ts';
import { adminRoutes } from './admin.ts';
import { auditRoutes } from './audit.ts';
import { createAuthentication } from './auth.ts';
import { deliveryRoutes } from './deliveries.ts';
import { addDocuments, documentRoutes } from './docs/routes.ts';
import { createErrorHandler } from './errors.ts';
import { eventRoutes } from './events.ts';
import { filterRoutes } from './filters.ts';
import { withoutPrefix } from './links.ts';
import { registrationRoutes } from './registrations.ts';
import type { RouteDeps } from './route-deps.ts';
import { serviceRoutes } from './service-routes.ts';
import { subscribeRoutes } from './subscribe.ts';
import { addUnknownRoute } from './unknown-route.ts';

const MAX_BODY_BYTES = 1024 * 1024;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 75_000;
/** On every answer; the log and the audit log name the call by it. Ids that callers send are not taken. */
const REQUEST_ID = 'x-request-id';

/** The HTTP API, ready to listen or to be mounted. Handlers read, ask the library, and answer. */
export async function createApi(deps: RouteDeps): Promise<FastifyInstance> {
  const onError = createErrorHandler(deps.onError);
  const app = Fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    exposeHeadRoutes: false,
    genReqId: () => newId(Date.now()),
    requestIdHeader: false,
    rewriteUrl: (request) => withoutPrefix(request.url ?? '/'),
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 512 },
    // Paths that cannot be routed.
    frameworkErrors: (error, request, reply) => {
      reply.header(REQUEST_ID, request.id);
      onError(error, request, reply);
    },
    logger: false,
  });
  app.decorateRequest('caller');
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID, request.id);
    done();
  });
  const { onAnswered } = deps;
  if (onAnswered !== undefined) {
    app.addHook('onResponse', (request, reply, done) => {
      onAnswered(request, reply);
      done();
    });
  }
  app.setErrorHandler(onError);
  addUnknownRoute(app, deps);
  readBodiesAsBytes(app);
  await addDocuments(app);
  await app.register(async (api) => {
    const authenticate = createAuthentication(deps.library);
    api.addHook('onRequest', (request, reply, done) => {
      refuseTwoHosts(request.raw.rawHeaders);
      authenticate(request, reply);
      done();
    });
    const all = [
      registrationRoutes,
      filterRoutes,
      subscribeRoutes,
      eventRoutes,
      deliveryRoutes,
      adminRoutes,
      auditRoutes,
      serviceRoutes,
    ];
    for (const routes of all) await api.register(routes(deps));
    documentRoutes(api, deps);
  });
  return app;
}

/** Every body is read as it is: what it must be, each route judges. The documents validate nothing. */
function readBodiesAsBytes(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

/** Proxies disagree about which of two Host headers counts. */
function refuseTwoHosts(rawHeaders: readonly string[]): void {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) throw new AppError('bad_request', 'The request has more than one Host header.');
}
