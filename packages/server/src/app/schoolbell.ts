import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createApi } from '../api/app.ts';
import { type Config, readConfig } from '../config/config.ts';
import { systemClock } from '../core/clock.ts';
import type { Caller } from '../core/key.ts';
import type { Engine } from '../engine/engine.ts';
import type { JobRunner } from '../engine/job-runner.ts';
import type { Library } from '../service/library.ts';
import { shortRetentions } from '../service/retention.ts';
import type { Store } from '../store/port.ts';
import type { Answered } from '../telemetry/events.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { VERSION } from '../version.ts';
import { Housekeeping } from './housekeeping.ts';
import { type Installation, openInstallation } from './installation.ts';
import { buildLibrary, type Hooks, type Parts } from './library.ts';
import { listenersOf, warnOfOpenings } from './outbound.ts';

/** What a host may set; everything has a default. */
export type SchoolbellOptions = Partial<Config> & Hooks & { readonly log?: Logger };

/** Schoolbell at work, inside another program or behind its own listener. */
export type Schoolbell = {
  readonly library: Library;
  /** The HTTP API: `listen` on it, or hand requests to its `routing`. */
  readonly api: FastifyInstance;
  readonly adminKey: string;
  readonly adminKeyIsNew: boolean;
  /** Answers what is under way, finishes what is being sent, and closes the store. */
  readonly stop: (reason?: string) => Promise<void>;
};

export type RunningSchoolbell = Schoolbell & { readonly url: string };

/** Attempts in flight are waited for this long; what is not done by then is sent again at the next start. */
const STOP_AFTER_MS = 25_000;

/** Opens the store and starts delivering. Throws ConfigError or Error with a sentence when it cannot. */
export async function openSchoolbell(options: SchoolbellOptions = {}): Promise<Schoolbell> {
  const config: Config = { ...readConfig({}, {}), ...options };
  const installation = await openInstallation(config);
  try {
    return await assemble(options, config, installation);
  } catch (error) {
    await installation.store.close();
    throw error;
  }
}

/** The same, listening. */
export async function startSchoolbell(options: SchoolbellOptions = {}): Promise<RunningSchoolbell> {
  const config: Config = { ...readConfig({}, {}), ...options };
  const log = options.log ?? createLog(config.logLevel);
  const schoolbell = await openSchoolbell({ ...config, ...options, log });
  try {
    const listening = await schoolbell.api.listen({ host: config.host, port: config.port });
    const url = config.baseUrl ?? listening;
    log.info({ url, version: VERSION }, 'ready');
    return { ...schoolbell, url };
  } catch (error) {
    await schoolbell.stop();
    throw error;
  }
}

async function assemble(
  options: SchoolbellOptions,
  config: Config,
  { keys, store }: Installation,
): Promise<Schoolbell> {
  const log = options.log ?? createLog(config.logLevel);
  let api: FastifyInstance | undefined;
  const parts = await buildLibrary({ config, hooks: options, keys, store, log, api: () => api });
  const { library, engine, tally, jobs, indexer, telemetry, warnings, lookout, manifests } = parts;
  const { egress, sender, setListeners } = parts;
  api = await openApi(config, parts);
  const listener = api;
  api.addHook('onListen', (done) => {
    setListeners(listenersOf(listener));
    done();
  });
  const housekeeping = startHousekeeping(config, store, parts);
  lookout.start();
  manifests.start();
  warnOfOpenings(config, telemetry);
  const stop = once(async (reason) => {
    telemetry.stopping(reason);
    lookout.stop();
    await manifests.stop();
    const work = [housekeeping.stop(), stopWork(jobs, engine), warnings.stop()];
    await Promise.all([listener.close(), ...work]);
    await Promise.all([indexer.stop(), tally.stop()]);
    await Promise.all([sender.close(), egress.close()]);
    await store.close();
  });
  const { adminKey, adminKeyIsNew } = keys;
  return { library, api, adminKey, adminKeyIsNew, stop };
}

function openApi(
  config: Config,
  { library, metrics, telemetry, tracing }: Parts,
): Promise<FastifyInstance> {
  const { answered } = telemetry;
  return createApi({
    library,
    metrics,
    ...(tracing === undefined ? {} : { tracing }),
    baseUrl: config.baseUrl,
    trustedProxies: config.trustedProxies,
    showSecrets: config.showSecrets,
    receiveTimeoutMs: config.receiveTimeoutMs,
    onError: (error, { id, method, routeOptions }) =>
      telemetry.failed(error, `${method} ${routeOptions.url ?? 'unknown'} (request ${id})`),
    ...(answered === undefined
      ? {}
      : { onAnswered: (request, reply) => answered(answeredCall(request, reply)) }),
  });
}

function answeredCall(request: FastifyRequest, reply: FastifyReply): Answered {
  // Not set for calls that were refused before their key was known.
  const caller = request.caller as Caller | undefined;
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    status: reply.statusCode,
    durationMs: Math.round(reply.elapsedTime),
    tenant: caller?.tenant,
    keyId: caller?.keyId,
  };
}

function startHousekeeping(
  config: Config,
  store: Store,
  { library, telemetry, forget }: Pick<Parts, 'library' | 'telemetry' | 'forget'>,
): Housekeeping {
  const housekeeping = new Housekeeping({
    store,
    clock: systemClock,
    retentionMs: config.retentionMs,
    auditRetentionMs: config.auditRetentionMs,
    statisticsRetentionMs: config.statisticsRetentionMs,
    shorter: () => shortRetentions(library, config.retentionMs),
    forget,
    onError: (error) => telemetry.failed(error, 'removing what is past its retention'),
  });
  housekeeping.start();
  return housekeeping;
}

function stopWork(jobs: JobRunner, engine: Engine): Promise<void> {
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, STOP_AFTER_MS).unref());
  return Promise.race([jobs.stop().then(() => engine.stop()), timeout]);
}

function once(stop: (reason: string) => Promise<void>): (reason?: string) => Promise<void> {
  let stopping: Promise<void> | undefined;
  return (reason = 'asked to') => (stopping ??= stop(reason));
}
