import { constants } from 'node:crypto';
import { type LookupAddress } from 'node:dns';
import { connect as connectTcp, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type PeerCertificate,
  type SecureContext,
} from 'node:tls';
import { refuseAddress } from './address.ts';
import { type Allow, allowsAddress, allowsName } from './allow.ts';
import { withDates } from './certificate.ts';
import { codeOf, connectOutcome, Failure } from './failure.ts';
import { type Proxy, tunnel } from './proxy.ts';
import { MAX_ADDRESSES, type Resolve } from './resolver.ts';
import type { Target } from './uri.ts';

export type DialOptions = {
  readonly allow: Allow;
  readonly resolve: Resolve;
  /** For TCP and TLS together, and before that once for the look-up. */
  readonly connectTimeoutMs: number;
  /** Certificate authorities trusted besides the usual ones, PEM. */
  readonly extraCa: readonly string[];
  /** True for an address and port that this process itself listens on. */
  readonly isOwn: (address: string, port: number) => boolean;
  /** Stands between this process and every receiver, where there is one. */
  readonly proxy?: Proxy | null;
};

/**
 * Opens a connection to one of a target's addresses, which `vet` gave. The peer is checked again
 * before the first byte is written. Rejects with Failure.
 */
export async function dial(
  target: Target,
  addresses: readonly string[],
  options: DialOptions,
): Promise<Socket> {
  const { proxy = null } = options;
  if (proxy === null) return connect(target, { addresses, via: null }, options);
  const via = { proxy, addresses: await addressesOf(proxy, options) };
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await connect(target, { addresses: [address], via }, options);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

type Way = {
  readonly addresses: readonly string[];
  /** The proxy, and where it is. */
  readonly via: { readonly proxy: Proxy; readonly addresses: readonly string[] } | null;
};

async function connect(
  target: Target,
  { addresses, via }: Way,
  options: DialOptions,
): Promise<Socket> {
  let phase: 'connect' | 'tls' = 'connect';
  const peers = via?.addresses ?? addresses;
  const socket = connectTcp(tcpOptions(via?.proxy ?? target, peers));
  socket.on('error', ignore);
  socket.setNoDelay(true);
  const timer = setTimeout(
    () =>
      socket.destroy(new Failure({ kind: 'timeout', phase, afterMs: options.connectTimeoutMs })),
    options.connectTimeoutMs,
  );
  try {
    await once(socket, 'connect', false);
    checkPeer(socket, peers);
    const [address = ''] = addresses;
    if (via !== null) await tunnel(socket, { address, port: target.port }, via.proxy);
    if (!target.secure) return socket;
    phase = 'tls';
    return await handshake(socket, target, options);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The operator chose the proxy: its address is not judged. */
async function addressesOf({ hostname }: Proxy, options: DialOptions): Promise<readonly string[]> {
  return isIP(hostname) === 0 ? lookUp(hostname, options) : [hostname];
}

/**
 * The addresses that may be dialled. A name is looked up once, every address of the answer is
 * judged, and one bad address refuses all. Rejects with Failure.
 */
export async function vet(target: Target, options: DialOptions): Promise<readonly string[]> {
  const addresses = target.isLiteral ? [target.hostname] : await lookUp(target.hostname, options);
  const byName = !target.isLiteral && allowsName(options.allow, target.hostname, target.port);
  for (const address of addresses) {
    if (!allowsAddress(options.allow, { address, port: target.port, byName })) {
      throw new Failure({ kind: 'blocked', rule: refuseAddress(address) ?? 'not public' });
    }
    if (options.isOwn(address, target.port))
      throw new Failure({ kind: 'blocked', rule: 'own listener' });
  }
  return addresses.slice(0, MAX_ADDRESSES);
}

async function lookUp(
  host: string,
  { resolve, connectTimeoutMs }: DialOptions,
): Promise<readonly string[]> {
  try {
    const addresses = await within(connectTimeoutMs, resolve(host));
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new Failure({ kind: 'dns_error', host, code: codeOf(error) });
  }
  throw new Failure({ kind: 'dns_error', host, code: 'ENODATA' });
}

/** A resolver with several silent servers may take longer than anyone should wait. */
async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const error = Object.assign(new Error('no answer in time'), { code: 'ETIMEOUT' });
  const timer = setTimeout(() => late.reject(error), timeoutMs);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function tcpOptions(
  target: Pick<Target, 'hostname' | 'port'>,
  addresses: readonly string[],
): TcpNetConnectOpts {
  const [first = ''] = addresses;
  if (addresses.length === 1) return { host: first, port: target.port };
  const found: LookupAddress[] = addresses.map((address) => ({ address, family: isIP(address) }));
  return {
    host: target.hostname,
    port: target.port,
    autoSelectFamily: true,
    lookup: (_host, _lookup, callback) => callback(null, found),
  };
}

/** Throws Failure unless the socket's other end is one of these. */
export function checkPeer(
  socket: { readonly remoteAddress?: string | undefined },
  addresses: readonly string[],
): void {
  const peer = socket.remoteAddress;
  if (peer === undefined) throw new Failure({ kind: 'connect_error', code: 'ECONNRESET' });
  if (addresses.some((address) => isSameAddress(address, peer))) return;
  throw new Failure({ kind: 'blocked', rule: 'peer' });
}

function isSameAddress(a: string, b: string): boolean {
  return (
    a === b || new URL(`http://${bracket(a)}`).hostname === new URL(`http://${bracket(b)}`).hostname
  );
}

function bracket(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

const contexts = new WeakMap<readonly string[], SecureContext>();

/** Sessions are never resumed, so that no ticket of one registration serves another. */
async function handshake(socket: Socket, target: Target, options: DialOptions): Promise<Socket> {
  const secured = connectTls({
    socket,
    host: target.hostname,
    ...(target.isLiteral ? {} : { servername: target.hostname.replace(/\.$/, '') }),
    secureContext: contextFor(options.extraCa),
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
  });
  secured.on('error', ignore);
  let certificate: PeerCertificate | undefined;
  // Node judges it next, and after a failure it cannot be read any more. Asking for it by
  // getPeerX509Certificate here would leave Node's own check an empty one, which it refuses.
  secured.prependOnceListener('secure', () => {
    certificate = secured.getPeerCertificate();
  });
  try {
    await once(secured, 'secureConnect', true);
  } catch (error) {
    throw withDates(error, certificate);
  }
  return secured;
}

function contextFor(extraCa: readonly string[]): SecureContext {
  let context = contexts.get(extraCa);
  if (context === undefined) {
    const ca = extraCa.length === 0 ? {} : { ca: [...getCACertificates(), ...extraCa] };
    context = createSecureContext({
      ...ca,
      minVersion: 'TLSv1.2',
      // A server that begins again and again would have the work of it done here.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    contexts.set(extraCa, context);
  }
  return context;
}

/** Errors are heard by whoever waits; between two of them none may be without a listener. */
function ignore(): void {
  return undefined;
}

function once(socket: Socket, event: 'connect' | 'secureConnect', secure: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(new Failure(connectOutcome(error, secure)));
    const closed = (): void => fail(Object.assign(new Error('closed'), { code: 'ECONNRESET' }));
    socket.once('error', fail);
    socket.once('close', closed);
    socket.once(event, () => {
      socket.off('error', fail);
      socket.off('close', closed);
      resolve();
    });
  });
}
