import type { DatabaseSync } from 'node:sqlite';
import type { Earlier } from '../port.ts';
import { text } from '../rows.ts';
import type { Value } from './protocol.ts';

const FIND_KEY = `
select hash, answer
  from idempotency
 where tenant = ?
   and key = ?`;

/** Tells what comes of an idempotency key that was used before; undefined for a new one. */
export function keysUsed(
  database: DatabaseSync,
): (tenant: Value, key: Value, hash: Value) => Earlier | undefined {
  const findKey = database.prepare(FIND_KEY);
  return (tenant, key, hash) => {
    const known = findKey.get(tenant, key);
    if (known === undefined) return undefined;
    if (text(known, 'hash') !== hash) return { kind: 'conflict' };
    return { kind: 'repeated', answer: text(known, 'answer') };
  };
}
