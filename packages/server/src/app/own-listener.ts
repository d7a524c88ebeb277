import { networkInterfaces } from 'node:os';
import { parseAddress, unmapped } from '../egress/address.ts';
import type { Listener } from '../sending/protocol.ts';

const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * True when a connection to the target would reach one of these listeners: a registration that
 * points at this very server would ring itself for ever. A listener on all addresses is reached at
 * each that this machine has, and at no other machine's.
 */
export function isOwnListener(listeners: readonly Listener[], target: Listener): boolean {
  const candidates = listeners.filter(({ port }) => port === target.port);
  if (candidates.length === 0) return false;
  const wanted = plain(target.address);
  return candidates.some(({ address }) => {
    const own = plain(address);
    if (WILDCARDS.has(own)) return isOfThisMachine(wanted);
    // An unspecified address leads to the loopback.
    return own === wanted || (WILDCARDS.has(wanted) && isLoopback(own));
  });
}

function isOfThisMachine(address: string): boolean {
  if (WILDCARDS.has(address) || isLoopback(address)) return true;
  const interfaces = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return interfaces.some((own) => plain(own.address) === address);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** One spelling for each address; `::ffff:a.b.c.d` is a.b.c.d. */
function plain(text: string): string {
  const address = parseAddress(text.split('%', 1)[0] ?? '');
  return address === undefined ? text : unmapped(address).toString();
}
