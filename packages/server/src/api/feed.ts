import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { FeedRow } from '../store/port.ts';
import { docs } from './docs/operations.ts';
import { limitOf, readQuery } from './query.ts';
import { sendEmpty, sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type OneRequest = FastifyRequest<{ Params: { id: string } }>;

/** `/webhooks/registrations/{id}/feed`: what was sent and what waits, in order. */
export function feedRoutes({ library }: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/registrations/:id/feed',
      { config: { access: 'read' }, schema: docs.feed },
      async (request: OneRequest, reply) => {
        const query = readQuery(request, ['after', 'limit']);
        const found = await library.feed.read({
          tenant: request.caller.tenant,
          registrationId: request.params.id,
          after: afterOf(query),
          limit: limitOf(query),
        });
        if (found === undefined) return sendEmpty(reply, 404);
        const items = found.items.map(feedJson).join(',');
        return sendText(reply, 200, `{"Items":[${items}],"Last":${found.last}}`);
      },
    );
    done();
  };
}

function afterOf(query: ReadonlyMap<string, string>): number {
  const text = query.get('after') ?? '0';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AppError('bad_request', 'after is the sequence of the last delivery that is known.');
}

/** Notifications are the publisher's characters. */
function feedJson({ sequence, id, eventId, state, createdAt, endedAt, notifications }: FeedRow) {
  const members = {
    Sequence: sequence,
    Id: id,
    EventId: eventId,
    State: state,
    CreatedAt: new Date(createdAt).toISOString(),
    EndedAt: endedAt === null ? null : new Date(endedAt).toISOString(),
  };
  return `${JSON.stringify(members).slice(0, -1)},"Notifications":[${notifications.join(',')}]}`;
}
