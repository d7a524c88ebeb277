import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import { readIdempotencyKey, readPublication } from '../core/publication.ts';
import { traceOf } from '../core/trace.ts';
import type { MissedRegistration, PublishCall } from '../service/library.ts';
import type { EventRow } from '../store/port.ts';
import { mediaType, textBody } from './body.ts';
import { deliveryJson } from './deliveries.ts';
import { docs } from './docs/operations.ts';
import { countJson, LOG_PARAMETERS, logQueryOf, wantsCount } from './log-query.ts';
import { given, limitOf, readQuery } from './query.ts';
import { sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

const NDJSON: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
]);
const TYPES: ReadonlySet<string> = new Set(['application/json', 'text/json', ...NDJSON]);
const PARAMETERS = [...LOG_PARAMETERS, 'cursor', 'limit'];
/** Deliveries and registrations shown with an event; the log lists all. */
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
        const query = readQuery(request, PARAMETERS);
        const asked = logQueryOf(query, request.caller.tenant);
        const page = await events.list({
          ...asked,
          limit: limitOf(query),
          ...given({ cursor: query.get('cursor') }),
        });
        const items = page.items.map((event) => eventJson(event));
        const counted = wantsCount(query) ? await events.count(asked) : undefined;
        const rest = JSON.stringify({ Next: page.next, ...countJson(counted) }).slice(1);
        return sendText(reply, 200, `{"Items":[${items.join(',')}],${rest}`);
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
        const missed = await events.missed(event);
        const where = {
          Deliveries: went.items.map(deliveryJson),
          NotDelivered: missed.slice(0, DELIVERIES_SHOWN).map(missedJson),
        };
        return sendText(reply, 200, eventJson(event, where));
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
  const call = {
    events,
    idempotencyKey: idempotencyKeyOf(request),
    hash: () => createHash('sha256').update(text).digest('hex'),
  };
  const receipts = await traced(deps, request, call);
  deps.metrics.published(events.length, performance.now() - startedAt);
  const isList = isLines || /^\s*\[/.test(text);
  return sendText(reply, 202, isList ? `[${receipts.join(',')}]` : (receipts[0] ?? '{}'));
}

/** Within the publisher's trace, where it tells of one. */
function traced(
  { library: { events }, tracing }: RouteDeps,
  { caller, headers }: FastifyRequest,
  call: PublishCall,
): Promise<readonly string[]> {
  const parent = traceOf(headers['traceparent'], headers['tracestate']);
  if (tracing !== undefined) {
    const about = { tenant: caller.tenant, events: call.events.length, parent };
    return tracing.publish(about, (trace) => events.publish(caller, { ...call, trace }));
  }
  return events.publish(caller, parent === undefined ? call : { ...call, trace: parent });
}

function idempotencyKeyOf(request: FastifyRequest): string | null {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return null;
  const key = readIdempotencyKey(header);
  if (key !== undefined) return key;
  throw new AppError('bad_request', 'Idempotency-Key is a text of 1 to 255 printable characters.');
}

/** Notifications are the publisher's characters. */
export function eventJson(event: EventRow, where?: object): string {
  const members = [
    `"Id":"${event.id}"`,
    `"AcceptedAt":"${new Date(event.acceptedAt).toISOString()}"`,
    `"OccurredAt":${event.occurredAt === null ? 'null' : `"${new Date(event.occurredAt).toISOString()}"`}`,
    `"Actions":${JSON.stringify(event.actions)}`,
    `"Notifications":[${event.notifications.join(',')}]`,
  ];
  if (where !== undefined) members.push(JSON.stringify(where).slice(1, -1));
  return `{${members.join(',')}}`;
}

function missedJson({ registration, reason, sentence }: MissedRegistration): object {
  return { RegistrationId: registration.id, Reason: reason, Sentence: sentence };
}
