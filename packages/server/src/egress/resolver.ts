import { Resolver } from 'node:dns/promises';

/** The addresses of a name, IPv4 first; rejects when there are none. Never asked for literals. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** All addresses of an answer are judged; no more than this are dialled. */
export const MAX_ADDRESSES = 8;
/** The system's servers and two seconds a try, where not said. */
export type ResolverOptions = {
  readonly servers?: readonly string[];
  readonly timeoutMs?: number;
};

const QUERY_TIMEOUT_MS = 2000;
const TRIES = 2;

/**
 * Asks the DNS itself rather than the operating system: look-ups do not wait for each other, and
 * names are fully qualified, so that no search list applies. `/etc/hosts` is not read but for
 * `localhost`, which is the loopback by rule.
 */
export function createResolver(options: ResolverOptions = {}): Resolve {
  const resolver = new Resolver({ timeout: options.timeoutMs ?? QUERY_TIMEOUT_MS, tries: TRIES });
  if (options.servers !== undefined) resolver.setServers(options.servers);
  return async (hostname) => {
    const name = hostname.replace(/\.$/, '');
    if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1', '::1'];
    const [v4, v6] = await Promise.allSettled([
      resolver.resolve4(`${name}.`),
      resolver.resolve6(`${name}.`),
    ]);
    const found = [...valuesOf(v4), ...valuesOf(v6)];
    if (found.length > 0) return found;
    throw reasonOf(v4) ?? reasonOf(v6) ?? new Error(`${name} has no address`);
  };
}

function valuesOf(result: PromiseSettledResult<string[]>): readonly string[] {
  return result.status === 'fulfilled' ? result.value : [];
}

function reasonOf(result: PromiseSettledResult<string[]>): Error | undefined {
  if (result.status === 'fulfilled') return undefined;
  return result.reason instanceof Error ? result.reason : new Error(String(result.reason));
}
