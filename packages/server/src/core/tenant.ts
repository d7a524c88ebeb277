/** The institution whose events these are. */
export type Tenant = {
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  /** How many of its deliveries may wait before publishers are told to; null for the installation's default. */
  readonly maxPending: number | null;
  /** How long its events are kept after they ended, where that is shorter than elsewhere. */
  readonly retentionMs?: number | null;
};

/** What an operator may set of a tenant. */
export type TenantSettings = Pick<Tenant, 'name' | 'maxPending' | 'retentionMs'>;

export const MAX_QUOTA = 1_000_000_000;

/** Made at first start, so that a newcomer's first call works. */
export const DEFAULT_TENANT = 'default';

/** 1 to 64 of `a-z 0-9 . _ -`. */
export function isTenantId(text: string): boolean {
  return /^[a-z0-9._-]{1,64}$/.test(text);
}
