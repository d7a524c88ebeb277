import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Config, ConfigError } from '../config/config.ts';
import { systemClock } from '../core/clock.ts';
import { buildBody } from '../core/envelope.ts';
import { newId } from '../core/id.ts';
import type { Registration } from '../core/registration.ts';
import { type Allow, parseAllow } from '../egress/allow.ts';
import type { Egress } from '../egress/port.ts';
import { sendAttempt } from '../engine/sender.ts';
import type { TestResult } from '../service/library.ts';
import type { Telemetry } from '../telemetry/events.ts';

/** A registration that points at this very server would ring itself for ever. */
export function isListener(
  api: FastifyInstance | undefined,
  address: string,
  port: number,
): boolean {
  const listeners: readonly (AddressInfo | string)[] =
    api?.server.listening === true ? [api.server.address() ?? ''] : [];
  return listeners.some(
    (own) =>
      typeof own !== 'string' &&
      own.port === port &&
      [address, '0.0.0.0', '::'].includes(own.address),
  );
}

/** What the operator lets registrations point at besides the public internet. Throws ConfigError. */
export function allowOf(config: Config): Allow {
  try {
    return parseAllow(config.allowNetworks, config.allowMetadata);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`--allow-networks (SCHOOLBELL_ALLOW_NETWORKS): ${reason}`, { cause });
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
    attempts: 0,
    step: 0,
  };
  const attempt = await sendAttempt({ egress, clock: systemClock }, registration, delivery);
  return {
    attempt,
    body: buildBody({ id, attempt: 1, properties, notifications }).toString('utf8'),
  };
}
