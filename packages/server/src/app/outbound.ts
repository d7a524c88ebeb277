import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Config, ConfigError } from '../config/config.ts';
import { wholeAttempt } from '../core/attempt.ts';
import { systemClock } from '../core/clock.ts';
import { buildBody } from '../core/envelope.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { type Allow, parseAllow } from '../egress/allow.ts';
import { createEgress, type EgressOptions } from '../egress/client.ts';
import { parseProxy, type Proxy } from '../egress/proxy.ts';
import type { Egress } from '../egress/port.ts';
import { makeAttempt } from '../sending/attempt.ts';
import type { TestResult } from '../service/library.ts';
import type { Telemetry } from '../telemetry/events.ts';
import { isOwnListener } from './own-listener.ts';

/** What of the configuration is about sending; a thread may be told it. */
export type OutboundConfig = Pick<
  Config,
  | 'baseUrl'
  | 'allowNetworks'
  | 'allowMetadata'
  | 'allowPorts'
  | 'requestTimeoutMs'
  | 'connectTimeoutMs'
  | 'caFile'
  | 'proxy'
>;

export function outboundConfig(config: OutboundConfig): OutboundConfig {
  const { baseUrl, allowNetworks, allowMetadata, allowPorts } = config;
  const { requestTimeoutMs, connectTimeoutMs, caFile, proxy } = config;
  const allowed = { allowNetworks, allowMetadata, allowPorts };
  return { baseUrl, ...allowed, requestTimeoutMs, connectTimeoutMs, caFile, proxy };
}

/** What the operator lets registrations point at besides the public internet. Throws ConfigError. */
export function allowOf(
  config: Pick<OutboundConfig, 'baseUrl' | 'allowNetworks' | 'allowMetadata' | 'allowPorts'>,
): Allow {
  try {
    const allowed = parseAllow(config.allowNetworks, config.allowMetadata);
    return { ...allowed, ports: config.allowPorts, own: ownPlace(config.baseUrl) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`--allow-networks (SCHOOLBELL_ALLOW_NETWORKS): ${reason}`, { cause });
  }
}

function ownPlace(baseUrl: string | null): string | null {
  if (baseUrl === null) return null;
  const { protocol, hostname, port } = new URL(baseUrl);
  return `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}

/** The only way out, with the limits and openings of the configuration. Throws ConfigError. */
export function openEgress(
  config: OutboundConfig,
  { isOwn, onBlocked }: Required<Pick<EgressOptions, 'isOwn' | 'onBlocked'>>,
): Egress {
  return createEgress({
    allow: allowOf(config),
    requestTimeoutMs: config.requestTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    extraCa: authoritiesOf(config),
    isOwn,
    proxy: proxyOf(config),
    onBlocked,
  });
}

function proxyOf({ proxy }: Pick<OutboundConfig, 'proxy'>): Proxy | null {
  if (proxy === null) return null;
  const parsed = parseProxy(proxy);
  if (parsed !== undefined) return parsed;
  throw new ConfigError('--proxy (SCHOOLBELL_PROXY) takes http://[user:password@]host:port.');
}

/** Tells the addresses and ports that the API listens on by now. */
export function isOwnOf(
  api: () => FastifyInstance | undefined,
): (address: string, port: number) => boolean {
  return (address, port) => isOwnListener(listenersOf(api()), { address, port });
}

export function listenersOf(api: FastifyInstance | undefined): AddressInfo[] {
  return (api?.addresses() ?? []).filter((each) => typeof each !== 'string');
}

/** Trusted besides the usual ones. Throws ConfigError. */
export function authoritiesOf({ caFile }: Pick<OutboundConfig, 'caFile'>): readonly string[] {
  return caFile === null ? [] : readAuthorities(caFile);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file. Throws ConfigError with a sentence when they cannot be used. */
function readAuthorities(path: string): readonly string[] {
  const refuse = (reason: string, cause?: unknown): never => {
    throw new ConfigError(`--ca-file (SCHOOLBELL_CA_FILE): ${path} ${reason}`, { cause });
  };
  try {
    const certificates = readFileSync(path, 'utf8').match(CERTIFICATE) ?? [];
    for (const pem of certificates) {
      if (new Date(new X509Certificate(pem).validTo).getTime() < systemClock.now())
        refuse('holds a certificate that has expired.');
    }
    return certificates.length > 0 ? certificates : refuse('holds no certificate in PEM.');
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    return refuse(
      `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
}

/** What the operator opened is said at every start, so that nobody forgets it. */
export function warnOfOpenings(config: Config, telemetry: Telemetry): void {
  if (config.allowNetworks.length > 0) {
    telemetry.warned(
      `Webhooks may point at these besides the public internet: ${config.allowNetworks.join(', ')}`,
    );
  }
  if (config.allowMetadata)
    telemetry.warned('Webhooks may point at metadata addresses of cloud providers.');
}

/** Through the same code and the same address rules as any delivery. */
export async function sendTest(
  egress: Egress,
  registration: Registration,
  notification: string,
): Promise<TestResult> {
  const id = newId(systemClock.now());
  const { properties } = registration;
  const notifications = [notification];
  const delivery = { id, notifications, attempts: 0, sequence: null };
  const made = await makeAttempt({ egress, clock: systemClock }, registration, delivery);
  return {
    attempt: wholeAttempt(made),
    body: buildBody({ id, attempt: 1, properties, notifications }).toString('utf8'),
  };
}
