import type { IncomingMessage } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import { newId } from '../core/id.ts';
import { MAX_SUBJECT_LENGTH } from '../core/subjects.ts';
import { adminRoutes } from './admin.ts';
import { auditRoutes } from './audit.ts';
import { createAuthentication } from './auth.ts';
import { onClientError } from './client-error.ts';
import { deliveryRoutes } from './deliveries.ts';
import { addDocuments, documentRoutes } from './docs/routes.ts';
import { createErrorHandler } from './errors.ts';
import { eventRoutes } from './events.ts';
import { feedRoutes } from './feed.ts';
import { filterRoutes } from './filters.ts';
import { learnerRoutes } from './learners.ts';
import { matchRoutes } from './match.ts';
import { withoutPrefix } from './links.ts';
import { registrationRoutes } from './registrations.ts';
import { replayRoutes } from './replays.ts';
import type { RouteDeps } from './route-deps.ts';
import { resumingRoutes } from './resuming.ts';
import { serviceRoutes } from './service-routes.ts';
import { statisticsRoutes } from './statistics.ts';
import { subscribeRoutes } from './subscribe.ts';
import { addUnknownRoute } from './unknown-route.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/** Of the longest key of a learner, each character of which may be written as three bytes in percent signs. */
const MAX_PARAMETER_LENGTH = 9 * MAX_SUBJECT_LENGTH;
const MAX_HEADERS = 100;
const KEEP_ALIVE_MS = 75_000;
/** On every answer; the log and the audit log name the call by it. Ids that callers send are not taken. */
const REQUEST_ID = 'x-request-id';

/** The HTTP API, ready to listen or to be mounted. Handlers read, ask the library, and answer. */
export async function createApi(deps: RouteDeps): Promise<FastifyInstance> {
  const onError = createErrorHandler(deps.onError);
  const app = Fastify({
    ...limitsOf(deps),
    trustProxy: deps.trustedProxies.length > 0 && [...deps.trustedProxies],
    exposeHeadRoutes: false,
    genReqId: () => newId(Date.now()),
    requestIdHeader: false,
    rewriteUrl: (request) => withoutPrefix(request.url ?? '/'),
    routerOptions: {
      caseSensitive: false,
      ignoreTrailingSlash: true,
      maxParamLength: MAX_PARAMETER_LENGTH,
    },
    // Paths that cannot be routed.
    frameworkErrors: (error, request, reply) => {
      addHeaders(request, reply);
      onError(error, request, reply);
    },
    clientErrorHandler: onClientError,
    logger: false,
  });
  app.decorateRequest('caller');
  addHooks(app, deps);
  app.setErrorHandler(onError);
  addUnknownRoute(app, deps);
  readBodiesAsBytes(app);
  await addDocuments(app);
  await app.register(async (api) => {
    const authenticate = createAuthentication(deps.library);
    api.addHook('onRequest', authenticate);
    const all = [
      registrationRoutes,
      filterRoutes,
      matchRoutes,
      subscribeRoutes,
      eventRoutes,
      deliveryRoutes,
      replayRoutes,
      resumingRoutes,
      learnerRoutes,
      adminRoutes,
      auditRoutes,
      statisticsRoutes,
      feedRoutes,
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
  app.addContentTypeParser(
    ['application/json', '*'],
    { parseAs: 'buffer' },
    (_request, body, done) => done(null, body),
  );
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

/** Who sends slowly is not waited for; the head must be there in a quarter of the time. */
function limitsOf({ receiveTimeoutMs }: RouteDeps) {
  return {
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: receiveTimeoutMs,
    connectionTimeout: receiveTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      // Answered in our shape instead, by refuseOddHeaders.
      requireHostHeader: false,
      headersTimeout: Math.ceil(receiveTimeoutMs / 4),
      connectionsCheckingInterval: Math.min(1000, Math.ceil(receiveTimeoutMs / 8)),
    },
  };
}

function addHooks(app: FastifyInstance, { onAnswered }: RouteDeps): void {
  app.addHook('onRequest', (request, reply, done) => {
    addHeaders(request, reply);
    refuseOddHeaders(request.raw);
    done();
  });
  if (onAnswered === undefined) return;
  app.addHook('onResponse', (request, reply, done) => {
    onAnswered(request, reply);
    done();
  });
}

function addHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header(REQUEST_ID, request.id);
  // Answers hold strangers' text: no browser may take one for a page.
  reply.header('x-content-type-options', 'nosniff');
}

/** Proxies and servers disagree about which of two counts. */
const ONCE: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'content-type',
  'idempotency-key',
  'schoolbell-tenant',
]);

/** A name or an address, and a port; links are made of it. */
const HOST = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;

/** Node itself silently drops what is beyond 2,000 headers. */
function refuseOddHeaders({ rawHeaders, httpVersion, headers }: IncomingMessage): void {
  if (rawHeaders.length > 2 * MAX_HEADERS)
    throw new AppError('too_many_headers', `A request has at most ${MAX_HEADERS} headers.`);
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!ONCE.has(name)) continue;
    if (seen.has(name))
      throw new AppError('bad_request', `The request has more than one ${name} header.`);
    seen.add(name);
  }
  if (!seen.has('host') && httpVersion !== '1.0')
    throw new AppError('bad_request', 'The request has no Host header.');
  if (headers.host !== undefined && !HOST.test(headers.host))
    throw new AppError('bad_request', 'The Host header is not a host and port.');
}
