import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { Filter } from '../core/filter.ts';
import { retentionText } from '../service/audit.ts';
import { docs } from './docs/operations.ts';
import { limitOf, readQuery } from './query.ts';
import { sendJson, sendText } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type NamedRequest = FastifyRequest<{ Params: { name: string } }>;

/** `/webhooks/filters`: what can be subscribed to. */
export function filterRoutes(deps: RouteDeps): FastifyPluginCallback {
  const { filters, events } = deps.library;
  const find = (name: string): Filter => {
    const filter = filters.get(name);
    if (filter === undefined)
      throw new AppError('not_found', `There is no filter '${name.slice(0, 128)}'.`);
    return filter;
  };
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/filters',
      { config: { access: 'read' }, schema: docs.listFilters },
      (_request, reply) =>
        sendJson(
          reply,
          200,
          filters.list().map(({ name, description }) => ({ Name: name, Description: description })),
        ),
    );
    app.get(
      '/webhooks/filters/:name',
      { config: { access: 'read' }, schema: docs.getFilter },
      (request: NamedRequest, reply) => sendJson(reply, 200, filterJson(find(request.params.name))),
    );
    app.get(
      '/webhooks/filters/:name/samples',
      { config: { access: 'read' }, schema: docs.filterSamples },
      async (request: NamedRequest, reply) => {
        const filter = find(request.params.name);
        const limit = limitOf(readQuery(request, ['limit']));
        const { tenant } = request.caller;
        const action = filter.name === '*' ? {} : { action: filter.name };
        const { items } = await events.list({ tenant, ...action, limit });
        const samples = items.flatMap((event) =>
          event.notifications.filter(
            (_text, index) =>
              !event.erased.includes(index) &&
              (filter.name === '*' || isSame(event.actions[index], filter.name)),
          ),
        );
        const shown = samples.length > 0 ? samples.slice(0, limit) : exampleOf(filter);
        return sendText(reply, 200, `[${shown.join(',')}]`);
      },
    );
    done();
  };
}

/** A filter with all that is known about it. */
export function filterJson(filter: Filter): object {
  return {
    Name: filter.name,
    Description: filter.description,
    Schema: filter.schema,
    Example: filter.example,
    Subjects: filter.subjects.map(({ kind, path }) => ({ Kind: kind, Path: path })),
    Private: filter.private,
    Retention: retentionText(filter.retentionMs),
  };
}

function exampleOf({ example }: Filter): string[] {
  return example === null ? [] : [JSON.stringify(example)];
}

function isSame(action: string | undefined, name: string): boolean {
  return action?.toLowerCase() === name.toLowerCase();
}
