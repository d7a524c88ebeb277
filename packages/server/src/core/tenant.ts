/** The institution whose events these are. */
export type Tenant = { readonly id: string; readonly name: string; readonly createdAt: number };

/** Made at first start, so that a newcomer's first call works. */
export const DEFAULT_TENANT = 'default';

/** 1 to 64 of `a-z 0-9 . _ -`. */
export function isTenantId(text: string): boolean {
  return /^[a-z0-9._-]{1,64}$/.test(text);
}
