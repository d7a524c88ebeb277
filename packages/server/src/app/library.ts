import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../config/config.ts';
import type { Origin } from '../core/audit.ts';
import { dueClock, systemClock } from '../core/clock.ts';
import type { Sealer } from '../core/seal.ts';
import type { SwitchOffRule } from '../core/streak.ts';
import type { Egress } from '../egress/port.ts';
import type { AcceptAnswer, AcceptRequest } from '../engine/acceptor.ts';
import { Engine } from '../engine/engine.ts';
import type { EngineOptions } from '../engine/options.ts';
import { JobRunner } from '../engine/job-runner.ts';
import { Tally } from '../engine/tally.ts';
import { createAudit } from '../service/audit.ts';
import { Configuration } from '../service/configuration.ts';
import { createDeliveries } from '../service/deliveries.ts';
import { createEvents } from '../service/events.ts';
import { createFeed } from '../service/feed.ts';
import { createFilters, subjectsBy } from '../service/filters.ts';
import { Lookout } from '../service/lookout.ts';
import type { Manifests } from '../service/manifests.ts';
import type { Warnings } from '../service/warnings.ts';
import { Indexer } from '../service/indexer.ts';
import { createLearners } from '../service/learners.ts';
import { createKeys } from '../service/keys.ts';
import type { Filters, IdValidator, Library, Registrar } from '../service/library.ts';
import { createReplays } from '../service/replays.ts';
import { createRegistrations, type RegistrationsService } from '../service/registrations.ts';
import { createResuming } from '../service/resuming.ts';
import { createStatistics } from '../service/statistics.ts';
import { createPrivacy } from '../service/privacy.ts';
import { createTenants } from '../service/tenants.ts';
import { createTrials } from '../service/trials.ts';
import type { Store } from '../store/port.ts';
import { createTelemetry, type Telemetry } from '../telemetry/events.ts';
import type { Logger } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { openTracing, type Tracing } from '../telemetry/tracing.ts';
import { openSealer } from './encryption.ts';
import { VERSION } from '../version.ts';
import type { InstallationKeys } from './installation.ts';
import { learning } from './learning.ts';
import { allowOf, isOwnOf, openEgress, sendTest } from './outbound.ts';
import { type OpenSender, openSender } from './sender.ts';
import { openManifests } from './manifests.ts';
import { certificateWarningOf, openWarnings, warningOf } from './warning.ts';

/** What a host may hook into. */
export type Hooks = {
  /** Add private filters to registrations, or refuse them. */
  readonly registrars?: readonly Registrar[];
  /** Keep ids that clients ask for; the default makes new ones. */
  readonly idValidator?: IdValidator;
};

/** What everything stands on. */
export type Ground = {
  readonly config: Config;
  readonly hooks: Hooks;
  /** Of the installation. */
  readonly keys: InstallationKeys;
  readonly store: Store;
  readonly log: Logger;
  /** The API once there is one: nothing is sent to its own listener. */
  readonly api: () => FastifyInstance | undefined;
};

export type Parts = OpenSender & {
  readonly library: Library;
  readonly engine: Engine;
  readonly jobs: JobRunner;
  readonly indexer: Indexer;
  readonly egress: Egress;
  readonly metrics: Metrics;
  readonly telemetry: Telemetry;
  readonly tracing: Tracing | undefined;
  readonly tally: Tally;
  /** What is past its time besides the log. */
  readonly forget: () => Promise<void>;
  readonly warnings: Warnings;
  readonly lookout: Lookout;
  readonly manifests: Manifests;
};

/** Characters of payload that wait in memory; the rest waits in the store. */
const WINDOW_BYTES = 64 * 1024 * 1024;

/** Builds the library on a store and takes over what an earlier run left. */
export async function buildLibrary(ground: Ground): Promise<Parts> {
  const { store } = ground;
  const { retentionMs } = ground.config;
  const configuration = new Configuration(store, (change) => learn(change));
  await configuration.open();
  const metrics = createMetrics(() => engine.figures());
  const telemetry = createTelemetry(ground.log, metrics);
  const isOwn = isOwnOf(ground.api);
  const egress = openEgress(ground.config, { isOwn, onBlocked: telemetry.blocked });
  const filters = await createFilters({ store, clock: systemClock, retentionMs });
  const switchOff: EngineOptions['switchOff'] = ({ tenant, id }, reason) =>
    registrations.switchOff(tenant, id, reason).catch((error: unknown) => {
      telemetry.failed(error, 'switching a registration off');
      return false;
    });
  const maxPending = (tenant: string): number =>
    tenants.get(tenant)?.maxPending ?? ground.config.maxPending;
  const accept = (request: AcceptRequest): Promise<AcceptAnswer> => engine.accept(request);
  const onError = (error: unknown): void => telemetry.failed(error, 'warning of trouble');
  const poke = (): void => indexer.poke();
  const warnings = openWarnings(ground.config, { accept, poke, onError });
  const { warn } = warnings;
  const tally = openTally({ store, filters, telemetry, metrics });
  const tracing = openTracing(VERSION);
  const sending = openSender(ground.config, { egress, telemetry, tracing });
  const means = { egress, ...sending, telemetry, tracing, tally };
  const common = { ...means, filters, warn };
  const engine = createEngine(ground, { ...common, configuration, switchOff, maxPending });
  const sealer = await openSealer(ground.keys.encryptionKey, store);
  const hasTenant = (id: string): boolean => tenants.get(id) !== undefined;
  const registrations = await openRegistrations(ground, { ...common, engine, sealer, hasTenant });
  const { adminKey } = ground.keys;
  const keys = await createKeys({ store, clock: systemClock, adminKey, hasTenant });
  const onRemove = async (tenant: string, by: Origin): Promise<void> => {
    keys.forgetTenant(tenant);
    await registrations.removeAll(tenant, by);
  };
  const tenants = await createTenants({ store, clock: systemClock, retentionMs, onRemove });
  const learn = learning({ registrations, filters, tenants, keys, engine });
  const known = { ...common, configuration, engine, registrations, sealer, tenants };
  const { indexer, jobs, ...log } = openLog(ground, known);
  sending.sender.start();
  await engine.start(tenants.list().flatMap(({ id }) => registrations.list(id)));
  jobs.start();
  const ready = (): Promise<void> => store.check();
  const parts = { ...log, registrations, filters, tenants, keys };
  const nodes = { list: () => store.nodes() };
  const library = { ...parts, nodes, refresh: configuration.refresh, ready };
  const forget = (): Promise<void> =>
    registrations.forgetOldSecrets().then(() => log.learners.finishErasures());
  const waiting = (tenant: string): number => engine.waiting.of(tenant);
  const lookout = new Lookout({ tenants, keys, waiting, clock: systemClock, warn });
  const sent = { store, tenants, registrations };
  const manifests = openManifests({ ...sent, index: indexer, engine, telemetry });
  const told = { metrics, warnings, lookout, manifests };
  return { library, engine, jobs, indexer, ...means, forget, ...told };
}

type LogParts = Pick<Parts, 'engine' | 'tally' | 'telemetry'> &
  Pick<Library, 'filters' | 'tenants'> & {
    readonly configuration: Configuration;
    readonly registrations: RegistrationsService;
    readonly sealer: Sealer;
  };

/** What happened, where it went, who did what, and sending again. */
function openLog(
  { store, config }: Ground,
  { configuration, engine, filters, registrations, sealer, tally, telemetry, tenants }: LogParts,
) {
  const index = openIndexer({ store, filters, telemetry });
  const privacy = createPrivacy(filters);
  const accept = (request: AcceptRequest): Promise<AcceptAnswer> => engine.accept(request);
  const jobs = createJobRunner(store, { configuration, engine, filters, telemetry });
  const look = (): void => jobs.look();
  const events = createEvents({ store, tenants, registrations, index, privacy, accept });
  return {
    indexer: index,
    jobs,
    events,
    deliveries: createDeliveries({ store, index, privacy, clock: dueClock, engine, registrations }),
    replays: createReplays({ store, index, clock: dueClock, filters, registrations, look }),
    resuming: createResuming({
      store,
      registrations,
      filters,
      clock: dueClock,
      waiting: engine.waiting,
      laneConcurrency: config.concurrency,
    }),
    learners: createLearners({ store, index, privacy, clock: systemClock, sealer, engine }),
    audit: createAudit({ store, tenants }),
    trials: createTrials({ filters, events }),
    statistics: openStatistics({ store, filters, registrations, tally }),
    feed: createFeed({ store, registrations, privacy }),
  };
}

/** Begins with what an earlier run left. */
function openIndexer({
  store,
  filters,
  telemetry,
}: Pick<Ground, 'store'> & Pick<Library, 'filters'> & Pick<Parts, 'telemetry'>): Indexer {
  const onError = (error: unknown): void => telemetry.failed(error, 'indexing events');
  const indexer = new Indexer({ store, filters, onError });
  indexer.poke();
  return indexer;
}

function openTally({
  store,
  filters,
  telemetry,
  metrics,
}: Pick<Ground, 'store'> & Pick<Library, 'filters'> & Pick<Parts, 'telemetry' | 'metrics'>): Tally {
  const tally = new Tally({
    store,
    filterOf: (action) => filters.get(action)?.name,
    onError: (error) => telemetry.failed(error, 'writing statistics'),
    onMatched: metrics.matched,
    onEnded: metrics.ended,
  });
  tally.start();
  return tally;
}

function openStatistics({
  store,
  filters,
  registrations,
  tally,
}: Pick<Ground, 'store'> & Pick<Library, 'filters' | 'registrations'> & Pick<Parts, 'tally'>) {
  const flush = (): Promise<void> => tally.flush();
  return createStatistics({ store, clock: systemClock, filters, registrations, flush });
}

type EngineParts = Pick<Parts, 'sender' | 'telemetry' | 'tally'> & {
  readonly filters: Pick<Filters, 'get'>;
  readonly configuration: Configuration;
  readonly warn: Warnings['warn'];
} & Pick<EngineOptions, 'switchOff' | 'maxPending'>;

function createEngine(
  { config, store }: Ground,
  { sender, telemetry, tally, filters, configuration, switchOff, maxPending, warn }: EngineParts,
): Engine {
  return new Engine({
    store,
    node: { name: `${hostname()}/${process.pid}`, version: VERSION },
    configuration,
    sender,
    clock: dueClock,
    random: Math.random,
    schedule: config.schedule,
    maxPending,
    maxInFlight: config.maxInFlight,
    laneConcurrency: config.concurrency,
    windowBytes: WINDOW_BYTES,
    subjectsOf: subjectsBy(filters),
    tally,
    onAttempt: (registration, _delivery, attempt) => {
      telemetry.attempted(registration, attempt);
      const ending = certificateWarningOf(registration, attempt);
      if (ending !== undefined) warn(ending);
    },
    switchOffRule: switchOffRuleOf(config),
    switchOff,
    onConcern: (concern) => {
      telemetry.concerned(concern);
      warn(warningOf(concern));
    },
  });
}

function switchOffRuleOf({ switchOffAfterMs, switchOffFailures }: Config): SwitchOffRule | null {
  if (switchOffAfterMs === null) return null;
  return { afterMs: switchOffAfterMs, failures: switchOffFailures };
}

function createJobRunner(
  store: Store,
  {
    configuration,
    engine,
    filters,
    telemetry,
  }: Pick<LogParts, 'configuration' | 'engine' | 'filters' | 'telemetry'>,
): JobRunner {
  const onError = (error: unknown): void => telemetry.failed(error, 'sending again');
  return new JobRunner({
    store,
    engine,
    refresh: configuration.refresh,
    clock: dueClock,
    subjectsOf: subjectsBy(filters),
    onError,
  });
}

type RegistrationParts = Pick<Parts, 'egress' | 'telemetry' | 'engine'> &
  Pick<Library, 'filters'> & {
    readonly sealer: Sealer;
    readonly hasTenant: (tenant: string) => boolean;
  };

async function openRegistrations(
  { config, hooks, store, api }: Ground,
  { egress, telemetry, engine, filters, sealer, hasTenant }: RegistrationParts,
): Promise<RegistrationsService> {
  return createRegistrations({
    store,
    filters,
    egress,
    allow: allowOf(config),
    isOwn: isOwnOf(api),
    sealer,
    clock: systemClock,
    registrars: hooks.registrars ?? [],
    idValidator: hooks.idValidator ?? (() => null),
    hasTenant,
    onChange: (change) => {
      engine.onRegistration(change);
      telemetry.registered(change.registration, change.kind);
    },
    onRemoved: (ref) => engine.align(ref),
    sendTest: (registration, notification) => sendTest(egress, registration, notification),
  });
}
