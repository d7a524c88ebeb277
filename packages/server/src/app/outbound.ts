import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Config, ConfigError } from '../config/config.ts';
import { systemClock } from '../core/clock.ts';
import { buildBody } from '../core/envelope.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { type Allow, parseAllow } from '../egress/allow.ts';
import { createEgress } from '../egress/client.ts';
import { parseProxy, type Proxy } from '../egress/proxy.ts';
import type { Egress } from '../egress/port.ts';
import { sendAttempt } from '../engine/sender.ts';
import type { TestResult } from '../service/library.ts';
import type { Telemetry } from '../telemetry/events.ts';
import { isOwnListener } from './own-listener.ts';

/** What the operator lets registrations point at besides the public internet. Throws ConfigError. */
export function allowOf(config: Config): Allow {
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
  config: Config,
  api: () => FastifyInstance | undefined,
  telemetry: Pick<Telemetry, 'blocked'>,
): Egress {
  return createEgress({
    allow: allowOf(config),
    requestTimeoutMs: config.requestTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    extraCa: authoritiesOf(config),
    isOwn: isOwnOf(api),
    proxy: proxyOf(config),
    onBlocked: (blocked) => telemetry.blocked(blocked),
  });
}

function proxyOf({ proxy }: Config): Proxy | null {
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

function listenersOf(api: FastifyInstance | undefined): AddressInfo[] {
  return (api?.addresses() ?? []).filter((each) => typeof each !== 'string');
}

/** Trusted besides the usual ones. Throws ConfigError. */
export function authoritiesOf({ caFile }: Config): readonly string[] {
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
  const { tenant, properties } = registration;
  const notifications = [notification];
  const delivery = {
    id,
    tenant,
    eventId: id,
    registrationId: registration.id,
    notifications,
    actions: [],
    attempts: 0,
    step: 0,
    ordered: false,
    sequence: null,
  };
  const attempt = await sendAttempt({ egress, clock: systemClock }, registration, delivery);
  return {
    attempt,
    body: buildBody({ id, attempt: 1, properties, notifications }).toString('utf8'),
  };
}
