import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { createApi } from '../api/app.ts';
import { type Config, ConfigError, readConfig } from '../config/config.ts';
import { systemClock } from '../core/clock.ts';
import { buildBody } from '../core/envelope.ts';
import { newId } from '../core/id.ts';
import { createSealer, type Sealer, SealError } from '../core/seal.ts';
import { type Allow, parseAllow } from '../egress/allow.ts';
import { createEgress } from '../egress/client.ts';
import type { Egress } from '../egress/port.ts';
import { Engine } from '../engine/engine.ts';
import { sendAttempt } from '../engine/sender.ts';
import { createDeliveries } from '../service/deliveries.ts';
import { createEvents } from '../service/events.ts';
import { createFilters } from '../service/filters.ts';
import { createKeys } from '../service/keys.ts';
import type { IdValidator, Library, Registrar, TestResult } from '../service/library.ts';
import { createRegistrations, type RegistrationsService } from '../service/registrations.ts';
import { createTenants } from '../service/tenants.ts';
import type { Store } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { createTelemetry, type Telemetry } from '../telemetry/events.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { VERSION } from '../version.ts';
import { type DataFolder, openDataFolder } from './data-folder.ts';
import { Housekeeping } from './housekeeping.ts';
import type { Registration } from '../core/registration.ts';

/** What a host may set besides the configuration; everything has a default. */
export type SchoolbellOptions = Partial<Config> & {
  /** Add private filters to registrations, or refuse them. */
  readonly registrars?: readonly Registrar[];
  /** Keep ids that clients ask for; the default makes new ones. */
  readonly idValidator?: IdValidator;
  readonly log?: Logger;
};

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
const WINDOW_BYTES = 32 * 1024 * 1024;

/** Opens the store and starts delivering. Throws ConfigError or Error with a sentence when it cannot. */
export async function openSchoolbell(options: SchoolbellOptions = {}): Promise<Schoolbell> {
  const config: Config = { ...readConfig({}, {}), ...options };
  const folder = openDataFolder({ ...config, path: config.dataDir });
  const store = await openSqliteStore({ path: folder.databasePath });
  try {
    return await assemble(options, config, { folder, store });
  } catch (error) {
    await store.close();
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

type Ground = { readonly folder: DataFolder; readonly store: Store };

async function assemble(options: SchoolbellOptions, config: Config, { folder, store }: Ground): Promise<Schoolbell> {
  const log = options.log ?? createLog(config.logLevel);
  const allow = allowOf(config);
  const sealer = await openSealer(folder, store);
  let api: FastifyInstance | undefined;
  const egress = createEgress({
    allow,
    requestTimeoutMs: config.requestTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    extraCa: [],
    isOwn: (address, port) => isListener(api, address, port),
  });
  const metrics = createMetrics({ inFlight: () => engine.inFlight, counts: () => store.counts() });
  const telemetry = createTelemetry(log, metrics);
  const engine = createEngine(config, { store, egress, telemetry, onGone: (gone) => void switchOff(gone) });
  const filters = await createFilters({ store });
  const registrations = await openRegistrations(options, config, { store, egress, sealer, allow, engine, filters, telemetry });
  const switchOff = async (gone: Registration): Promise<void> => {
    try {
      await registrations.switchOff(gone.tenant, gone.id, 'endpoint answered 410 Gone');
    } catch (error) {
      telemetry.failed(error, 'switching a registration off');
    }
  };
  const keys = await createKeys({ store, clock: systemClock, adminKey: folder.adminKey });
  const tenants = await createTenants({
    store,
    clock: systemClock,
    onRemove: async (tenant) => {
      keys.forgetTenant(tenant);
      await registrations.removeAll(tenant);
    },
  });
  const events = createEvents({ store, tenants, accept: (request) => engine.accept(request) });
  const deliveries = createDeliveries({ store, clock: systemClock, engine });
  const library: Library = { registrations, filters, events, deliveries, tenants, keys, ready: () => store.check() };
  await engine.start(await everyRegistration(registrations, tenants.list().map(({ id }) => id)));
  const housekeeping = new Housekeeping({
    store,
    clock: systemClock,
    retentionMs: config.retentionMs,
    onError: (error) => telemetry.failed(error, 'removing what is past its retention'),
  });
  housekeeping.start();
  api = await openApi(config, { library, metrics, telemetry });
  warnOfOpenings(config, telemetry);
  return {
    library,
    api,
    adminKey: folder.adminKey,
    adminKeyIsNew: folder.adminKeyIsNew,
    stop: once(async (reason) => {
      telemetry.stopping(reason);
      await Promise.all([api.close(), housekeeping.stop(), stopEngine(engine)]);
      await egress.close();
      await store.close();
    }),
  };
}

/** A registration that points at this very server would ring itself for ever. */
function isListener(api: FastifyInstance | undefined, address: string, port: number): boolean {
  const listeners: readonly (AddressInfo | string)[] = api?.server.listening === true ? [api.server.address() ?? ''] : [];
  return listeners.some(
    (own) => typeof own !== 'string' && own.port === port && [address, '0.0.0.0', '::'].includes(own.address),
  );
}

type EngineParts = {
  readonly store: Store;
  readonly egress: Egress;
  readonly telemetry: Telemetry;
  readonly onGone: (registration: Registration) => void;
};

function createEngine(config: Config, { store, egress, telemetry, onGone }: EngineParts): Engine {
  return new Engine({
    store,
    egress,
    clock: systemClock,
    random: Math.random,
    schedule: config.schedule,
    maxInFlight: config.maxInFlight,
    laneConcurrency: config.concurrency,
    windowBytes: WINDOW_BYTES,
    onAttempt: (registration, _delivery, attempt) => telemetry.attempted(registration, attempt),
    onGone,
  });
}

type RegistrationParts = Omit<EngineParts, 'onGone'> & {
  readonly sealer: Sealer;
  readonly allow: Allow;
  readonly engine: Engine;
  readonly filters: Library['filters'];
};

function openRegistrations(
  options: SchoolbellOptions,
  _config: Config,
  parts: RegistrationParts,
): Promise<RegistrationsService> {
  const { store, egress, sealer, allow, engine, filters, telemetry } = parts;
  return createRegistrations({
    store,
    filters,
    egress,
    allow,
    sealer,
    clock: systemClock,
    registrars: options.registrars ?? [],
    idValidator: options.idValidator ?? (() => null),
    onChange: (change) => {
      engine.onRegistration(change);
      telemetry.registered(change.registration, change.kind);
    },
    onRemoved: (ref) => engine.align(ref),
    sendTest: (registration, notification) => sendTest(egress, registration, notification),
  });
}

/** Through the same code and the same address rules as any delivery. */
async function sendTest(egress: Egress, registration: Registration, notification: string): Promise<TestResult> {
  const id = newId(systemClock.now());
  const { tenant, properties } = registration;
  const notifications = [notification];
  const delivery = { id, tenant, eventId: id, registrationId: registration.id, notifications, attempts: 0, step: 0 };
  const attempt = await sendAttempt({ egress, clock: systemClock }, registration, delivery);
  return { attempt, body: buildBody({ id, attempt: 1, properties, notifications }).toString('utf8') };
}

async function everyRegistration(
  registrations: RegistrationsService,
  tenants: readonly string[],
): Promise<readonly Registration[]> {
  return tenants.flatMap((tenant) => registrations.list(tenant));
}

function openApi(
  config: Config,
  { library, metrics, telemetry }: { library: Library; metrics: Metrics; telemetry: Telemetry },
): Promise<FastifyInstance> {
  return createApi({
    library,
    metrics,
    baseUrl: config.baseUrl,
    showSecrets: config.showSecrets,
    onError: (error, request) => telemetry.failed(error, `${request.method} ${request.routeOptions.url ?? '?'}`),
  });
}

function allowOf(config: Config): Allow {
  try {
    return parseAllow(config.allowNetworks, config.allowMetadata);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`--allow-networks (SCHOOLBELL_ALLOW_NETWORKS): ${reason}`, { cause });
  }
}

/** What the operator opened is said at every start, so that nobody forgets it. */
function warnOfOpenings(config: Config, telemetry: Telemetry): void {
  if (config.allowNetworks.length > 0) {
    telemetry.warned(`Webhooks may point at these besides the public internet: ${config.allowNetworks.join(', ')}`);
  }
  if (config.allowMetadata) telemetry.warned('Webhooks may point at metadata addresses of cloud providers.');
}

const KEY_CHECK = 'encryption check';

/** A text sealed at first start tells a wrong key before any registration is read. */
async function openSealer(folder: DataFolder, store: Store): Promise<Sealer> {
  const sealer = sealerOf(folder.encryptionKey);
  const place = { tenant: '', owner: 'installation', field: KEY_CHECK };
  const sealed = await store.setting(KEY_CHECK);
  if (sealed === undefined) {
    await store.putSetting(KEY_CHECK, sealer.seal('schoolbell', place));
    return sealer;
  }
  try {
    sealer.open(sealed, place);
    return sealer;
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new ConfigError(
      'The encryption key is not the one that the stored registrations were encrypted with. Put the right one into encryption.key of the data folder, or into SCHOOLBELL_ENCRYPTION_KEY.',
      { cause },
    );
  }
}

function sealerOf(keys: string): Sealer {
  try {
    return createSealer(keys.split(',').map((key) => Buffer.from(key.trim(), 'base64')));
  } catch (cause) {
    throw new ConfigError('--encryption-key (SCHOOLBELL_ENCRYPTION_KEY) takes 32 bytes in base64, or several of these.', { cause });
  }
}

function stopEngine(engine: Engine): Promise<void> {
  const timeout = new Promise<void>((resolve) => setTimeout(resolve, STOP_AFTER_MS).unref());
  return Promise.race([engine.stop(), timeout]);
}

function once(stop: (reason: string) => Promise<void>): (reason?: string) => Promise<void> {
  let stopping: Promise<void> | undefined;
  return (reason = 'asked to') => (stopping ??= stop(reason));
}
