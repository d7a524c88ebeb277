import { durationText } from '../core/duration.ts';
import { AppError } from '../core/errors.ts';
import type { Filters, Tenants } from './library.ts';

/** What is kept shorter than the rest: the events of a tenant, or those of them with one action. */
export type ShortRetention = {
  readonly tenant: string;
  readonly action: string | null;
  readonly retentionMs: number;
};

/**
 * Where less is kept than the installation keeps. The shortest rule that applies to an event holds,
 * so that each can be carried out by itself and in any order.
 */
export function shortRetentions(
  {
    tenants,
    filters,
  }: { readonly tenants: Pick<Tenants, 'list'>; readonly filters: Pick<Filters, 'list'> },
  installationMs: number,
): readonly ShortRetention[] {
  const short = filters
    .list()
    .flatMap(({ name: action, retentionMs }) =>
      isShorter(retentionMs, installationMs) ? [{ action, retentionMs }] : [],
    );
  return tenants.list().flatMap(({ id: tenant, retentionMs: own }) => {
    const ofTenant = isShorter(own, installationMs) ? own : undefined;
    const rules = short.filter((rule) => rule.retentionMs < (ofTenant ?? installationMs));
    const all = ofTenant === undefined ? [] : [{ tenant, action: null, retentionMs: ofTenant }];
    return [...all, ...rules.map((rule) => ({ tenant, ...rule }))];
  });
}

function isShorter(own: number | null | undefined, than: number): own is number {
  return own !== null && own !== undefined && own < than;
}

/**
 * What is longer than all is kept would be a promise that nobody keeps: PostgreSQL drops whole days,
 * of all tenants at once, when the installation's retention is over.
 */
export function refuseLonger(own: number | null | undefined, installationMs: number): void {
  if (own === null || own === undefined || own <= installationMs) return;
  throw new AppError(
    'bad_request',
    `Retention can be shorter than that of the installation, ${durationText(installationMs)}, and not longer: ask its operator for a longer --retention, and say a shorter one for what must not be kept so long.`,
  );
}
