import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Outcome } from '../core/outcome.ts';
import { exchangeOutcome, Failure } from './failure.ts';
import { MAX_HEAD_BYTES } from './head-limit.ts';
import type { OutboundRequest } from './port.ts';
import { ResponseCollector } from './response.ts';
import type { Target } from './uri.ts';

/**
 * One request by node:http on a fresh socket, for servers that send `100 Continue` unasked, as IIS
 * does. `onEnd` is called exactly once. What is returned ends it early.
 */
export function exchangeByNode(
  exchange: { readonly socket: Socket; readonly request: OutboundRequest; readonly target: Target },
  onEnd: (outcome: Outcome) => void,
): { abort(failure: Failure): void } {
  const { socket, request, target } = exchange;
  const collector = new ResponseCollector();
  let ended = false;
  const end = (outcome: Outcome): void => {
    if (ended) return;
    ended = true;
    socket.destroy();
    onEnd(outcome);
  };
  const fail = (error: unknown): void =>
    end(collector.hasHead ? collector.outcome(true) : exchangeOutcome(error));
  const outgoing = httpRequest({
    method: request.method,
    path: target.path,
    headers: nodeHeaders(request, target),
    setHost: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    createConnection: () => socket,
  });
  outgoing.on('information', () => {
    if (!collector.interim())
      fail(new Failure({ kind: 'protocol_error', code: 'TOO_MANY_INTERIM_RESPONSES' }));
  });
  outgoing.on('error', fail);
  outgoing.on('response', (incoming) => {
    collector.head(incoming.statusCode ?? 0, incoming.headersDistinct);
    incoming.on('data', (chunk: Uint8Array) => {
      if (!collector.data(chunk)) end(collector.outcome(true));
    });
    incoming.on('end', () => end(collector.outcome(!incoming.complete)));
    incoming.on('error', fail);
  });
  outgoing.end(request.body ?? undefined);
  return { abort: fail };
}

function nodeHeaders(request: OutboundRequest, target: Target): string[] {
  const flat = ['host', target.host, 'connection', 'close'];
  for (const [name, value] of request.headers) flat.push(name, value);
  if (request.body !== null) flat.push('content-length', String(request.body.length));
  return flat;
}
