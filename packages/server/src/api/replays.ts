import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import { AppError } from '../core/errors.ts';
import { idTime } from '../core/id.ts';
import {
  DEFAULT_RATE,
  type Job,
  JOB_CHANGES,
  type JobChange,
  type Selection,
} from '../core/job.ts';
import type { ReplayRequest } from '../service/library.ts';
import { originOf } from './audit.ts';
import { objectBody } from './body.ts';
import { docs } from './docs/operations.ts';
import { NewReplay } from './docs/schemas.ts';
import { link } from './links.ts';
import { given, limitOf, readQuery, readTime } from './query.ts';
import { sendEmpty, sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

type OneRequest = FastifyRequest<{ Params: { id: string } }>;

/** `/webhooks/replays`: sending again what lies in the past. */
export function replayRoutes(deps: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    addCreate(app, deps);
    addReads(app, deps);
    for (const change of Object.keys(JOB_CHANGES) as JobChange[]) addChange(app, deps, change);
    done();
  };
}

function addCreate(app: FastifyInstance, deps: RouteDeps): void {
  app.post(
    '/webhooks/registrations/:id/replay',
    { config: { access: 'write' }, schema: docs.createReplay },
    async (request: OneRequest, reply) => {
      const { tenant } = request.caller;
      const asked = replayOf(objectBody(request, NewReplay));
      const by = originOf(request);
      const job = await deps.library.replays.create(tenant, request.params.id, asked, by);
      if (job === undefined) return sendEmpty(reply, 404);
      reply.header('location', link(deps, request, `/webhooks/replays/${job.id}`));
      return sendJson(reply, 202, jobJson(job));
    },
  );
}

function addReads(app: FastifyInstance, { library: { replays } }: RouteDeps): void {
  app.get(
    '/webhooks/replays',
    { config: { access: 'read' }, schema: docs.listReplays },
    async (request, reply) => {
      const query = readQuery(request, ['registrationId', 'cursor', 'limit']);
      const page = await replays.list({
        tenant: request.caller.tenant,
        limit: limitOf(query),
        ...given({ registrationId: query.get('registrationid'), cursor: query.get('cursor') }),
      });
      return sendJson(reply, 200, { Items: page.items.map(jobJson), Next: page.next });
    },
  );
  app.get(
    '/webhooks/replays/:id',
    { config: { access: 'read' }, schema: docs.getReplay },
    async (request: OneRequest, reply) =>
      sendJson(reply, 200, found(await replays.get(request.caller.tenant, request.params.id))),
  );
}

const CHANGE_DOCS = {
  pause: docs.pauseReplay,
  resume: docs.resumeReplay,
  cancel: docs.cancelReplay,
} as const;

function addChange(app: FastifyInstance, { library }: RouteDeps, change: JobChange): void {
  app.post(
    `/webhooks/replays/:id/${change}`,
    { config: { access: 'write' }, schema: CHANGE_DOCS[change] },
    async (request: OneRequest, reply) => {
      const { tenant } = request.caller;
      const by = originOf(request);
      const job = await library.replays.change(tenant, request.params.id, change, by);
      return sendJson(reply, 200, found(job));
    },
  );
}

function replayOf(body: Static<typeof NewReplay>): ReplayRequest {
  const { From, To, States, Filters, Subject, Deliveries } = body;
  const { Kind = 'replay', Rate = DEFAULT_RATE } = body;
  const selection = {
    from: From === undefined ? null : readTime(From, 'From'),
    to: To === undefined ? null : readTime(To, 'To'),
    states: States ?? null,
    filters: Filters ?? null,
    subject: Subject ?? null,
    deliveries: Deliveries ?? null,
  };
  if (Kind === 'backfill') refuseForBackfill(selection);
  else if (Object.values(selection).every((value) => value === null)) {
    throw new AppError(
      'bad_request',
      'Say what to send again: From, To, States, Filters, Subject or Deliveries.',
    );
  }
  if (selection.from !== null && selection.to !== null && selection.from >= selection.to)
    throw new AppError('bad_request', 'From is not before To.');
  return { kind: Kind, selection, rate: Rate };
}

function refuseForBackfill({ from, states, filters, subject, deliveries }: Selection): void {
  if (from === null)
    throw new AppError(
      'bad_request',
      'A backfill takes From: the time since which events are sent.',
    );
  if ([states, filters, subject, deliveries].some((value) => value !== null)) {
    throw new AppError(
      'bad_request',
      'A backfill takes From, To and Rate; what is sent follows from the filters and conditions of the registration.',
    );
  }
}

function found(job: Job | undefined): object {
  if (job !== undefined) return jobJson(job);
  throw new AppError('not_found', 'There is no such replay.');
}

function jobJson(job: Job): object {
  const { selection, total, cursor } = job;
  return {
    Id: job.id,
    Kind: job.kind,
    RegistrationId: job.registrationId,
    State: job.state,
    Reason: job.reason,
    Total: total?.count ?? null,
    TotalIsExact: total?.isExact ?? false,
    Done: job.done,
    ReachedAt: cursor === null ? null : isoTime(idTime(cursor)),
    Rate: job.rate,
    ...given({
      From: orUndefined(selection.from, isoTime),
      To: orUndefined(selection.to, isoTime),
      States: orUndefined(selection.states),
      Filters: orUndefined(selection.filters),
      Subject: orUndefined(selection.subject),
      Deliveries: orUndefined(selection.deliveries),
    }),
    CreatedAt: isoTime(job.createdAt),
    EndedAt: job.endedAt === null ? null : isoTime(job.endedAt),
  };
}

function orUndefined<T>(value: T | null, show: (value: T) => unknown = (same) => same): unknown {
  return value === null ? undefined : show(value);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
