import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import { readIdempotencyKey, readPublication } from '../core/publication.ts';
import type { EventRow } from '../store/port.ts';
import { mediaType, textBody } from './body.ts';
import { deliveryJson } from './deliveries.ts';
import { docs } from './docs/operations.ts';
import { given, limitOf, readQuery, timeOf } from './query.ts';
import { sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

const NDJSON: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
]);
const TYPES: ReadonlySet<string> = new Set(['application/json', 'text/json', ...NDJSON]);
/** Deliveries shown with an event; the log lists all. */
const DELIVERIES_SHOWN = 1000;

/** `/webhooks/events`: publishing, and what was published. */
export function eventRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { events, deliveries } = deps.library;
  return (app: FastifyInstance, _options, done) => {
    app.post(
      '/webhooks/events',
      { config: { access: 'publish' }, schema: docs.publish },
      (request, reply) => publish(deps, request, reply),
    );
    app.get(
      '/webhooks/events',
      { config: { access: 'read' }, schema: docs.listEvents },
      async (request, reply) => {
        const query = readQuery(request, ['action', 'from', 'to', 'cursor', 'limit']);
        const page = await events.list({
          tenant: request.caller.tenant,
          limit: limitOf(query),
          ...given({ action: query.get('action'), cursor: query.get('cursor') }),
          ...given({ from: timeOf(query, 'from'), to: timeOf(query, 'to') }),
        });
        const items = page.items.map((event) => eventJson(event));
        return sendText(
          reply,
          200,
          `{"Items":[${items.join(',')}],"Next":${JSON.stringify(page.next)}}`,
        );
      },
    );
    app.get(
      '/webhooks/events/:id',
      { config: { access: 'read' }, schema: docs.getEvent },
      async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
        const { tenant } = request.caller;
        const event = await events.get(tenant, request.params.id);
        if (event === undefined) throw new AppError('not_found', 'There is no such event.');
        const went = await deliveries.list({ tenant, eventId: event.id, limit: DELIVERIES_SHOWN });
        return sendText(reply, 200, eventJson(event, JSON.stringify(went.items.map(deliveryJson))));
      },
    );
    done();
  };
}

async function publish(
  deps: RouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const startedAt = performance.now();
  const text = textBody(request, TYPES);
  const isLines = NDJSON.has(mediaType(request));
  const events = readPublication(text, isLines ? 'ndjson' : 'json');
  const receipts = await deps.library.events.publish(request.caller, {
    events,
    idempotencyKey: idempotencyKeyOf(request),
    hash: () => createHash('sha256').update(text).digest('hex'),
  });
  deps.metrics.published(events.length, performance.now() - startedAt);
  const isList = isLines || /^\s*\[/.test(text);
  return sendText(reply, 202, isList ? `[${receipts.join(',')}]` : (receipts[0] ?? '{}'));
}

function idempotencyKeyOf(request: FastifyRequest): string | null {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return null;
  const key = readIdempotencyKey(header);
  if (key !== undefined) return key;
  throw new AppError('bad_request', 'Idempotency-Key is a text of 1 to 255 printable characters.');
}

/** Notifications are the publisher's characters. */
function eventJson(event: EventRow, deliveries?: string): string {
  const members = [
    `"Id":"${event.id}"`,
    `"AcceptedAt":"${new Date(event.acceptedAt).toISOString()}"`,
    `"OccurredAt":${event.occurredAt === null ? 'null' : `"${new Date(event.occurredAt).toISOString()}"`}`,
    `"Actions":${JSON.stringify(event.actions)}`,
    `"Notifications":[${event.notifications.join(',')}]`,
  ];
  if (deliveries !== undefined) members.push(`"Deliveries":${deliveries}`);
  return `{${members.join(',')}}`;
}
