import { dueClock } from '../core/clock.ts';
import type { Engine } from '../engine/engine.ts';
import { Manifests, type ManifestsOptions } from '../service/manifests.ts';
import type { Telemetry } from '../telemetry/events.ts';

/** Sends manifests of what was accepted, by the clock by which it was. */
export function openManifests({
  engine,
  telemetry,
  ...rest
}: Pick<ManifestsOptions, 'store' | 'tenants' | 'registrations' | 'index'> & {
  readonly engine: Pick<Engine, 'shards' | 'accept'>;
  readonly telemetry: Pick<Telemetry, 'failed'>;
}): Manifests {
  return new Manifests({
    ...rest,
    shards: () => engine.shards(),
    accept: (request) => engine.accept(request),
    clock: dueClock,
    onError: (error) => telemetry.failed(error, 'sending a manifest'),
  });
}
