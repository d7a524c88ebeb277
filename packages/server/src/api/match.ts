import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import { compactJson } from '../core/json-text.ts';
import { MAX_NOTIFICATION_BYTES } from '../core/publication.ts';
import type { Trial, Tried } from '../service/trials.ts';
import { rawBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

/** Recent notifications that one call looks at, and the characters of them that it shows. */
const MAX_RECENT = 200;
const MAX_SHOWN = 1024 * 1024;

/** `/webhooks/filters/{name}/match`: tries conditions before a registration lives by them. */
export function matchRoutes(deps: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    app.post(
      '/webhooks/filters/:name/match',
      { config: { access: 'read' }, schema: docs.matchConditions },
      async (request: FastifyRequest<{ Params: { name: string } }>, reply) => {
        const tried = await deps.library.trials.run(trialOf(request));
        return sendText(reply, 200, triedJson(tried));
      },
    );
    done();
  };
}

function trialOf(request: FastifyRequest<{ Params: { name: string } }>): Trial {
  const members = rawBody(request, ['Conditions', 'Notification', 'Recent']);
  const conditions = members.get('Conditions');
  if (conditions === undefined) {
    throw new AppError(
      'bad_request',
      'Conditions are missing: send {"Conditions": {"Course.Id": ["…"]}}.',
    );
  }
  const { tenant } = request.caller;
  return {
    tenant,
    filter: request.params.name,
    conditions: compactJson(conditions),
    on: on(members),
  };
}

function on(members: ReadonlyMap<string, string>): Trial['on'] {
  const notification = members.get('Notification');
  const recent = members.get('Recent');
  if (notification !== undefined && recent !== undefined)
    throw new AppError('bad_request', 'Send a Notification or Recent, not both.');
  if (notification !== undefined) return { notification: checked(notification) };
  if (recent === undefined) return 'example';
  if (/^\d{1,3}$/.test(recent) && Number(recent) >= 1 && Number(recent) <= MAX_RECENT)
    return { recent: Number(recent) };
  throw new AppError('bad_request', `Recent is a number from 1 to ${MAX_RECENT}.`);
}

function checked(notification: string): string {
  if (!notification.startsWith('{'))
    throw new AppError('bad_request', 'Notification is a JSON object.');
  if (Buffer.byteLength(notification) > MAX_NOTIFICATION_BYTES)
    throw new AppError('too_large', 'A notification takes at most 256 KiB.');
  return notification;
}

/** The notifications stand in it character for character, until they are too much for one answer. */
function triedJson(tried: readonly Tried[]): string {
  let shown = 0;
  const matched = tried.filter(({ failed }) => failed.length === 0).length;
  const items = tried.map(({ eventId, acceptedAt, text, failed }) => {
    const head = JSON.stringify({
      EventId: eventId,
      AcceptedAt: acceptedAt === null ? null : new Date(acceptedAt).toISOString(),
      Matches: failed.length === 0,
      Failed: failed.map(({ path, sentence }) => ({ Path: path, Sentence: sentence })),
    });
    shown += text.length;
    return `${head.slice(0, -1)},"Notification":${shown > MAX_SHOWN ? 'null' : text}}`;
  });
  return `{"Matched":${matched},"Of":${tried.length},"Items":[${items.join(',')}]}`;
}
