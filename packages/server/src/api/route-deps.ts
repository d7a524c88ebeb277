import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../core/key.ts';
import type { Library } from '../service/library.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';

/** What a route may need: nothing is global. */
export type RouteDeps = {
  readonly library: Library;
  /** What links begin with, for operators behind a proxy; null to take it from the request. */
  readonly baseUrl: string | null;
  /** Addresses and networks (CIDR) that say truly who calls, and by which scheme. */
  readonly trustedProxies: readonly string[];
  /** Shows secrets in every answer, as Microsoft's code does. */
  readonly showSecrets: boolean;
  /** A request must have come whole by then. */
  readonly receiveTimeoutMs: number;
  readonly metrics: Metrics;
  /** Where somebody keeps traces. */
  readonly tracing?: Tracing;
  /** Called for errors that are bugs or the machine's trouble. */
  readonly onError: (error: unknown, request: FastifyRequest) => void;
  /** Called when a call was answered. */
  readonly onAnswered?: (request: FastifyRequest, reply: FastifyReply) => void;
};

/** Who may call a route; every route says so in its `config`. */
export type Access = 'open' | 'read' | 'write' | 'publish' | 'admin';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls, once the key was checked. */
    caller: Caller;
  }
  interface FastifyContextConfig {
    access?: Access;
  }
}
