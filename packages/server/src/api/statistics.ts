import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import { AppError } from '../core/errors.ts';
import { type Histogram, percentile } from '../core/histogram.ts';
import { type Counts, type Step, STEPS } from '../core/statistics.ts';
import type { StatisticsAnswer } from '../service/statistics.ts';
import type { TenantBacklog } from '../store/port.ts';
import { docs } from './docs/operations.ts';
import { given, readQuery, timeOf } from './query.ts';
import { sendJson } from './reply.ts';
import type { RouteDeps } from './route-deps.ts';

const PARAMETERS = ['from', 'to', 'step', 'registrationId', 'action'];

/** `/webhooks/stats`: how much, how well and how fast, over time. */
export function statisticsRoutes({ library }: RouteDeps): FastifyPluginCallback {
  return (app: FastifyInstance, _options, done) => {
    app.get(
      '/webhooks/stats',
      { config: { access: 'read' }, schema: docs.statistics },
      async (request, reply) => {
        const query = readQuery(request, PARAMETERS);
        const asked = given({
          from: timeOf(query, 'from'),
          to: timeOf(query, 'to'),
          step: stepOf(query.get('step')),
          registrationId: query.get('registrationid'),
          action: query.get('action'),
        });
        const { tenant } = request.caller;
        const answer = await library.statistics.read({ tenant, ...asked });
        return sendJson(reply, 200, {
          ...spanJson(answer),
          RegistrationId: asked.registrationId ?? null,
          Action: asked.action ?? null,
          Total: countsJson(answer.total),
          Backlog: backlogJson(answer.backlog, Date.now()),
          Buckets: answer.buckets.map(({ start, counts }) => ({
            At: new Date(start).toISOString(),
            ...countsJson(counts),
          })),
        });
      },
    );
    done();
  };
}

function stepOf(text: string | undefined): Step | undefined {
  if (text === undefined) return undefined;
  const steps = Object.keys(STEPS) as Step[];
  const step = steps.find((known) => known === text.toLowerCase());
  if (step !== undefined) return step;
  throw new AppError('bad_request', `step is one of ${steps.join(', ')}.`);
}

function spanJson({ from, to, step }: StatisticsAnswer): object {
  return { From: new Date(from).toISOString(), To: new Date(to).toISOString(), Step: step };
}

function countsJson(counts: Counts): object {
  return {
    Published: counts.published,
    Deliveries: counts.deliveries,
    Delivered: counts.delivered,
    Exhausted: counts.exhausted,
    Attempts: counts.attempts,
    Failed: counts.failed,
    LatencyMs: percentilesJson(counts.latency),
    AttemptMs: percentilesJson(counts.duration),
  };
}

/** Null where there is nothing to tell of. */
function percentilesJson(histogram: Histogram): object | null {
  const [p50, p90, p99] = [0.5, 0.9, 0.99].map((share) => percentile(histogram, share));
  return p50 === null ? null : { P50: p50, P90: p90, P99: p99 };
}

function backlogJson({ pending, held, oldestAt }: TenantBacklog, now: number): object {
  return {
    Pending: pending.count,
    PendingIsExact: pending.isExact,
    Held: held.count,
    HeldIsExact: held.isExact,
    OldestPendingSeconds:
      oldestAt === null ? null : Math.max(0, Math.round((now - oldestAt) / 1000)),
  };
}
