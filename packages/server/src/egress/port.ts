import type { Outcome } from '../core/outcome.ts';

/** One request to a registered URI. */
export type OutboundRequest = {
  readonly method: 'GET' | 'POST';
  /** As registered: every rule is checked again before a byte is sent. */
  readonly uri: string;
  /** Sent in this order, exactly; `host`, `content-length` and `connection` are added. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  /** Sockets are shared only between requests of one pool: a registration's id, or a name for a single use. */
  readonly pool: string;
  /** Time for all of it, where it is not the usual. */
  readonly timeoutMs?: number;
};

/**
 * The only way out. Never throws and never rejects: whatever happens is an outcome, at the latest
 * one second after the request's deadline. Follows no redirect, sends no cookie, decodes nothing.
 */
export interface Egress {
  send(request: OutboundRequest): Promise<Outcome>;
  /** Closes idle sockets of a pool that is not used any more. */
  forget(pool: string): void;
  close(): Promise<void>;
}
