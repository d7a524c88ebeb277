import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { Attempt } from '../core/attempt.ts';
import { buildBody } from '../core/envelope.ts';
import { AppError } from '../core/errors.ts';
import type { Library } from '../service/library.ts';
import type { DeliveryRow } from '../store/port.ts';
import { attemptJson } from './attempt-json.ts';
import { originOf } from './audit.ts';
import { docs } from './docs/operations.ts';
import { countJson, LOG_PARAMETERS, logQueryOf, wantsCount } from './log-query.ts';
import { given, limitOf, readQuery } from './query.ts';
import { sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type OneRequest = FastifyRequest<{ Params: { id: string } }>;

const PARAMETERS = ['eventId', ...LOG_PARAMETERS, 'cursor', 'limit'];

/** `/webhooks/deliveries`: where events went, try by try. */
export function deliveryRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { deliveries } = deps.library;
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/deliveries',
      { config: { access: 'read' }, schema: docs.listDeliveries },
      async (request, reply) => {
        const query = readQuery(request, PARAMETERS);
        const asked = {
          ...logQueryOf(query, request.caller.tenant),
          ...given({ eventId: query.get('eventid') }),
        };
        const page = await deliveries.list({
          ...asked,
          limit: limitOf(query),
          ...given({ cursor: query.get('cursor') }),
        });
        const counted = wantsCount(query) ? await deliveries.count(asked) : undefined;
        const items = page.items.map(deliveryJson);
        return sendJson(reply, 200, { Items: items, Next: page.next, ...countJson(counted) });
      },
    );
    app.get(
      '/webhooks/deliveries/:id',
      { config: { access: 'read' }, schema: docs.getDelivery },
      async (request: OneRequest, reply) =>
        sendJson(reply, 200, await whole(deps.library, request.caller.tenant, request.params.id)),
    );
    app.post(
      '/webhooks/deliveries/:id/retry',
      { config: { access: 'write' }, schema: docs.retryDelivery },
      async (request: OneRequest, reply) => {
        const { tenant } = request.caller;
        if (!(await deliveries.retry(tenant, request.params.id, originOf(request))))
          throw unknown();
        return sendJson(reply, 202, {
          Message: 'The delivery is sent again now, from the first step of its schedule.',
        });
      },
    );
    app.post(
      '/webhooks/deliveries/:id/cancel',
      { config: { access: 'write' }, schema: docs.cancelDelivery },
      async (request: OneRequest, reply) => {
        const { tenant } = request.caller;
        if (!(await deliveries.cancel(tenant, request.params.id, originOf(request))))
          throw unknown();
        return sendJson(reply, 200, { Message: 'The delivery is cancelled.' });
      },
    );
    done();
  };
}

/** A row of the log. */
export function deliveryJson(row: DeliveryRow): object {
  return {
    Id: row.id,
    EventId: row.eventId,
    RegistrationId: row.registrationId,
    Sequence: row.sequence,
    State: row.state,
    Reason: row.reason,
    Actions: row.actions,
    ...(row.erased > 0 ? { Erased: row.erased } : {}),
    Attempts: row.attempts,
    Outcome: row.outcome?.class ?? null,
    Status: row.outcome?.status ?? null,
    Sentence: row.outcome?.sentence ?? null,
    CreatedAt: new Date(row.createdAt).toISOString(),
    NextAttemptAt: isoOrNull(row.dueAt),
    EndedAt: isoOrNull(row.endedAt),
    ReplayOf: row.replayOf,
    ReplayId: row.jobId,
  };
}

/** With every attempt: the bodies are built again as they were sent, from what is kept. */
async function whole(library: Library, tenant: string, id: string): Promise<object> {
  const found = await library.deliveries.get(tenant, id);
  if (found === undefined) throw unknown();
  const { row, attempts, histories } = found;
  const event = await library.events.get(tenant, row.eventId);
  const properties = library.registrations.get(tenant, row.registrationId)?.properties ?? '{}';
  /** What was erased before an attempt was not in it; what was erased since is shown to be. */
  const bodyOf = ({ number, erased }: Attempt): string => {
    const notifications = (event?.notifications ?? []).filter(
      (_text, index) =>
        (row.picks?.includes(index) ?? true) &&
        (erased === true || event?.erased.includes(index) !== true),
    );
    const envelope = { id: row.id, attempt: number, properties, notifications };
    return buildBody(envelope).toString('utf8');
  };
  return {
    ...deliveryJson(row),
    History: attempts.map((attempt, index) =>
      attemptJson(attempt, bodyOf(attempt), histories[index]),
    ),
  };
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function unknown(): AppError {
  return new AppError('not_found', 'There is no such delivery.');
}
