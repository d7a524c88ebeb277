import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { parseAddress } from './address.ts';

/** The addresses of a name, IPv4 first; rejects when there are none. Never asked for literals. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** All addresses of an answer are judged; no more than this are dialled. */
export const MAX_ADDRESSES = 8;
/** The system's servers and two seconds a try, where not said. */
export type ResolverOptions = {
  readonly servers?: readonly string[];
  readonly timeoutMs?: number;
  readonly hostsFile?: string;
};

const QUERY_TIMEOUT_MS = 2000;
const TRIES = 2;
const HOSTS_FILE = '/etc/hosts';

/**
 * Asks the DNS itself rather than the operating system: look-ups do not wait for each other, and
 * names are fully qualified, so that no search list applies. Names of the hosts file, as it is now,
 * are not asked for, and `localhost` is the loopback by rule.
 */
export function createResolver(options: ResolverOptions = {}): Resolve {
  const resolver = new Resolver({ timeout: options.timeoutMs ?? QUERY_TIMEOUT_MS, tries: TRIES });
  if (options.servers !== undefined) resolver.setServers(options.servers);
  const hosts = readHosts(options.hostsFile ?? HOSTS_FILE);
  return async (hostname) => {
    const name = hostname.replace(/\.$/, '');
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const local = hosts.get(name);
    if (local !== undefined) return local;
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(`${name}.`),
      resolver.resolve6(`${name}.`),
    ]);
    const found = [...valuesOf(v4), ...valuesOf(v6)];
    if (found.length > 0) return found;
    throw reasonOf(v4) ?? reasonOf(v6) ?? new Error(`${name} has no address`);
  };
}

/** Where containers are told the names of their neighbours; none where there is no such file. */
function readHosts(path: string): ReadonlyMap<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of textOf(path).split('\n')) {
    const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
    if (parseAddress(address) === undefined) continue;
    for (const name of names) {
      const key = name.toLowerCase();
      hosts.set(key, [...(hosts.get(key) ?? []), address]);
    }
  }
  return hosts;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function valuesOf(result: PromiseSettledResult<string[]>): readonly string[] {
  return result.status === 'fulfilled' ? result.value : [];
}

function reasonOf(result: PromiseSettledResult<string[]>): Error | undefined {
  if (result.status === 'fulfilled') return undefined;
  return result.reason instanceof Error ? result.reason : new Error(String(result.reason));
}
