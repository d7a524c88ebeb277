import type { Outcome } from '../../core/outcome.ts';
import { parseAllow } from '../allow.ts';
import { createEgress, type EgressOptions } from '../client.ts';
import type { Egress, OutboundRequest } from '../port.ts';

/** The real egress, allowed to reach 127.0.0.0/8 and `receiver.test`, with short limits. */
export function openEgress(options: Partial<EgressOptions> = {}): Egress {
  return createEgress({
    allow: parseAllow(['127.0.0.0/8', 'receiver.test', 'localhost'], false),
    requestTimeoutMs: 1500,
    connectTimeoutMs: 700,
    extraCa: [],
    isOwn: () => false,
    ...options,
  });
}

/** A small POST to a URI, with what a test changes. */
export function post(uri: string, changes: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    method: 'POST',
    uri,
    headers: [['Content-Type', 'application/json; charset=utf-8']],
    body: Buffer.from('{"Id":"1"}'),
    pool: 'a',
    ...changes,
  };
}

/** An outcome in a word or two: `200`, `200 truncated`, `timeout`, `protocol_error` … */
export function brief(outcome: Outcome): string {
  if (outcome.kind !== 'response') return outcome.kind;
  return `${outcome.status}${outcome.response.truncated ? ' truncated' : ''}`;
}
