import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import type { Filter } from '../../core/filter.ts';
import { VERSION } from '../../version.ts';
import { origin } from '../links.ts';
import { sendJson } from '../reply.ts';
import type { RouteDeps } from '../route-deps.ts';
import { type JsonObject, toSwagger2 } from './swagger2.ts';

/** The bar that asks for another document is of no use here. */
const PAGE_STYLE = '.swagger-ui .topbar { display: none }';

/** The page loads nothing from elsewhere, runs no inline script, and nobody frames it. */
const PAGE_POLICY = {
  'default-src': ["'none'"],
  'base-uri': ["'none'"],
  'connect-src': ["'self'"],
  'font-src': ["'self'", 'data:'],
  'form-action': ["'self'"],
  'frame-ancestors': ["'none'"],
  'img-src': ["'self'", 'data:'],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
};

/** Collects the documents of the routes that are registered after it. */
export async function addDocuments(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Schoolbell',
        version: VERSION,
        description:
          'Durable, signed webhooks for learning platforms: compatible with ASP.NET WebHooks and LMS365.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          basic: {
            type: 'http',
            scheme: 'basic',
            description: 'User name `api`, the key as password.',
          },
          bearer: { type: 'http', scheme: 'bearer', description: 'The key.' },
        },
      },
      security: [{ basic: [] }, { bearer: [] }],
    },
  });
  await app.register(swaggerUi, {
    routePrefix: '/swagger',
    staticCSP: PAGE_POLICY,
    uiHooks: {
      onRequest: (_request, reply, done) => {
        reply.header('referrer-policy', 'no-referrer');
        done();
      },
    },
    theme: { title: 'Schoolbell', css: [{ filename: 'schoolbell.css', content: PAGE_STYLE }] },
    uiConfig: { persistAuthorization: true, displayRequestDuration: true, docExpansion: 'list' },
  });
}

/** `/openapi.json` and `/swagger/docs/v1`. */
export function documentRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const config = { access: 'open' } as const;
  const schema = { hide: true };
  app.get('/openapi.json', { config, schema }, (request, reply) => {
    const document = app.swagger();
    const webhooks = webhooksOf(deps.library.filters.list());
    return sendJson(reply, 200, {
      ...document,
      servers: [{ url: origin(deps, request) }],
      webhooks,
    });
  });
  app.get('/swagger/docs/v1', { config, schema }, (request, reply) => {
    const document = JSON.parse(JSON.stringify(app.swagger())) as JsonObject;
    return sendJson(
      reply,
      200,
      toSwagger2(document, { origin: origin(deps, request), filters: deps.library.filters.list() }),
    );
  });
}

/** What receivers get: one webhook for each filter that says what it holds. */
function webhooksOf(filters: readonly Filter[]): object {
  const described = filters.filter((filter) => filter.schema !== null);
  return Object.fromEntries(described.map((filter) => [filter.name, { post: deliveryOf(filter) }]));
}

const SIGNATURE_HEADERS = [
  [
    'ms-signature',
    '`sha256=` and the HMAC-SHA256 of the body in upper-case hexadecimal, as ASP.NET WebHooks signs.',
  ],
  ['webhook-id', 'Id of the delivery, the same in every attempt.'],
  ['webhook-timestamp', 'Time of the attempt in seconds since 1970.'],
  [
    'webhook-signature',
    '`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`, as Standard Webhooks signs.',
  ],
  [
    'schoolbell-sequence',
    'Number of the delivery in its registration: 1, 2, 3 in the order of acceptance, without gaps. Not signed.',
  ],
] as const;

const REPLAY_HEADER = {
  name: 'webhook-replay',
  in: 'header',
  required: false,
  description: 'Id of the delivery that this one repeats; only where it repeats one.',
  schema: { type: 'string' },
};

function deliveryOf(filter: Filter): object {
  return {
    summary: filter.description,
    tags: ['Deliveries received'],
    security: [],
    parameters: [
      ...SIGNATURE_HEADERS.map(([name, description]) => ({
        name,
        in: 'header',
        required: true,
        description,
        schema: { type: 'string' },
      })),
      REPLAY_HEADER,
    ],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: envelopeSchema(filter) } },
    },
    responses: {
      '2XX': { description: 'Received.' },
      '410': { description: 'The endpoint is gone for good: the registration is switched off.' },
      default: { description: 'Tried again by the schedule.' },
    },
  };
}

/** The body of a delivery of one filter. */
export function envelopeSchema(filter: Filter): object {
  return {
    type: 'object',
    required: ['Id', 'Attempt', 'Properties', 'Notifications'],
    properties: {
      Id: { type: 'string', description: 'Id of the delivery, the same in every attempt.' },
      Attempt: { type: 'integer', format: 'int32', description: '1 for the first.' },
      Properties: { type: 'object', description: 'Properties of the registration.' },
      Notifications: { type: 'array', items: filter.schema },
    },
  };
}
