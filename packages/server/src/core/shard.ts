import type { RegistrationRef } from './registration.ts';

/** Fixed for good: stored deliveries carry the number of their shard. */
export const SHARDS = 64;

/** Every shard there is. */
export const ALL_SHARDS: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);

/** The shard of a registration: one node at a time sends for it. FNV-1a of its key, by UTF-16 units. */
export function shardOf({ tenant, id }: RegistrationRef): number {
  const hash = hashed(id, hashed('/', hashed(tenant, 0x811c9dc5)));
  // The low bits of this hash vary least, the high ones are folded in.
  return ((hash >>> 0) ^ (hash >>> 15)) & (SHARDS - 1);
}

function hashed(text: string, before: number): number {
  let hash = before;
  for (let at = 0; at < text.length; at += 1)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
