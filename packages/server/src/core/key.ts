import { hash } from 'node:crypto';

/** What a key may do. `Admin` belongs to the installation, the others to one tenant. */
export const LEVELS = ['Read only', 'Full control', 'Publish'] as const;
export type Level = (typeof LEVELS)[number];

/** A stored API key: the key itself is shown once and only its SHA-256 is kept. */
export type ApiKey = {
  readonly id: string;
  readonly tenant: string;
  readonly level: Level;
  readonly name: string;
  /** SHA-256 of the key, lower-case hexadecimal. */
  readonly hash: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
};

/** Who calls: the credential alone decides the tenant; an admin names it. */
export type Caller = {
  readonly level: Level | 'Admin';
  readonly tenant: string;
  /** Id and name; undefined for the admin key. */
  readonly keyId?: string;
  readonly keyName?: string;
};

/** What is kept of a key, and compared: its SHA-256, lower-case hexadecimal. */
export function keyDigest(key: string): string {
  return hash('sha256', key, 'hex');
}
