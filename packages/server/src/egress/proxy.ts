import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connectOutcome, Failure } from './failure.ts';
import { MAX_HEAD_BYTES } from './limits.ts';

/** The operator's way out of the network, which every connection takes. */
export type Proxy = {
  /** Without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** The Proxy-Authorization header; null where there is none. */
  readonly authorization: string | null;
};

/** Reads `http://[user:password@]host:port`. Undefined for anything else. */
export function parseProxy(text: string): Proxy | undefined {
  if (!/^http:\/\/[^/?#]+\/?$/i.test(text) || !URL.canParse(text)) return undefined;
  const { hostname, port, username, password } = new URL(text);
  const credentials = decoded(`${username}:${password}`);
  if (credentials === undefined) return undefined;
  return {
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 80 : Number(port),
    authorization: username === '' ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Makes a connection to a proxy one to the place behind it. The proxy is told the address that was
 * judged and never the name, so that it cannot look up another. Rejects with Failure.
 */
export function tunnel(
  socket: Socket,
  place: { readonly address: string; readonly port: number },
  { authorization }: Proxy,
): Promise<Socket> {
  const { address, port } = place;
  const path = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      method: 'CONNECT',
      path,
      headers: {
        host: path,
        ...(authorization === null ? {} : { 'proxy-authorization': authorization }),
      },
      maxHeaderSize: MAX_HEAD_BYTES,
      createConnection: () => socket,
    });
    asked.on('error', (error) => reject(new Failure(connectOutcome(error, false))));
    asked.on('connect', ({ statusCode }, connected, early) => {
      // What a proxy sends before it is spoken to is nobody's answer.
      if (statusCode === 200 && early.length === 0) resolve(connected);
      else reject(new Failure({ kind: 'connect_error', code: 'PROXY_REFUSED' }));
    });
    asked.end();
  });
}
