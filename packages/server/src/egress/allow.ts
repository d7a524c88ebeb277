import ipaddr from 'ipaddr.js';
import {
  embeddedIpv4,
  inNetwork,
  isMetadata,
  parseAddress,
  refuseAddress,
  unmapped,
} from './address.ts';
import { OTHER_SERVICES } from './ports.ts';

/** What an operator lets registrations point at besides the public internet. */
export type Allow = {
  readonly networks: readonly {
    readonly range: [ipaddr.IPv4 | ipaddr.IPv6, number];
    readonly port: number | null;
  }[];
  readonly names: readonly { readonly name: string; readonly port: number | null }[];
  /** Metadata addresses inside allowed networks are let through too. */
  readonly metadata: boolean;
  /** The only ports there are outside of what is allowed; null for all that belong to no other service. */
  readonly ports: ReadonlySet<number> | null;
  /** `host:port` under which this installation is reached; it would ring itself for ever. */
  readonly own: string | null;
};

export const ALLOW_NOTHING: Allow = {
  networks: [],
  names: [],
  metadata: false,
  ports: null,
  own: null,
};

/** Reads `CIDR`, `address` or `name`, each with or without `:port`. Throws RangeError with a sentence. */
export function parseAllow(entries: readonly string[], metadata: boolean): Allow {
  const networks: Allow['networks'][number][] = [];
  const names: Allow['names'][number][] = [];
  for (const entry of entries) {
    const { place, port } = splitPort(entry);
    const range = parseRange(place);
    if (range !== undefined && isPort(port)) networks.push({ range, port });
    else if (isName(place) && isPort(port)) names.push({ name: place.toLowerCase(), port });
    else {
      throw new RangeError(
        `'${entry}' is not a network (10.0.0.0/8), an address or a host name, with or without :port.`,
      );
    }
  }
  return { ...ALLOW_NOTHING, networks, names, metadata };
}

/** True when the name itself is allowed at this port. */
export function allowsName(allow: Allow, name: string, port: number): boolean {
  const bare = name.toLowerCase().replace(/\.$/, '');
  return allow.names.some((entry) => entry.name === bare && isPortOf(entry, port));
}

/** True when a connection to this address may be made; `byName` for names that are allowed themselves. */
export function allowsAddress(
  allow: Allow,
  target: { readonly address: string; readonly port: number; readonly byName: boolean },
): boolean {
  if (refuseAddress(target.address) === undefined) return true;
  if (isMetadata(target.address) && !allow.metadata) return false;
  return (
    (target.byName || inAllowedNetwork(allow, target.address, target.port)) &&
    allowsEmbedded(allow, target)
  );
}

/** An operator's NAT64 prefix is no way around the rules for what lies behind it. */
function allowsEmbedded(allow: Allow, target: Parameters<typeof allowsAddress>[1]): boolean {
  const address = parseAddress(target.address);
  const embedded = address === undefined ? undefined : embeddedIpv4(address);
  return embedded === undefined || allowsAddress(allow, { ...target, address: embedded });
}

/** True when an operator's network holds the address at this port. */
export function inAllowedNetwork(allow: Allow, text: string, port: number): boolean {
  const address = parseAddress(text);
  if (address === undefined) return false;
  const plain = unmapped(address);
  return allow.networks.some((entry) => isPortOf(entry, port) && inNetwork(plain, entry.range));
}

/** Ports of other services are open only where an entry names them. */
function isPortOf(entry: { readonly port: number | null }, port: number): boolean {
  return entry.port === null ? !OTHER_SERVICES.has(port) : entry.port === port;
}

function isPort(port: number | null): boolean {
  return port === null || (port > 0 && port < 65_536);
}

/** A name's last label is never a number: that is an address written wrong. */
function isName(place: string): boolean {
  return (
    /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(place) &&
    !/(^|\.)\d+$/.test(place)
  );
}

function splitPort(entry: string): { place: string; port: number | null } {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(entry);
  if (bracketed !== null) return { place: bracketed[1] ?? '', port: toPort(bracketed[2]) };
  const plain = /^([^:]+):(\d{1,5})$/.exec(entry);
  if (plain !== null) return { place: plain[1] ?? '', port: toPort(plain[2]) };
  return { place: entry, port: null };
}

function toPort(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function parseRange(place: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined {
  const address = parseAddress(place);
  if (address !== undefined) return [address, address instanceof ipaddr.IPv4 ? 32 : 128];
  const [network = '', bits = ''] = place.split('/');
  const parsed = parseAddress(network);
  const most = parsed instanceof ipaddr.IPv4 ? 32 : 128;
  if (parsed === undefined || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return undefined;
  return [parsed, Number(bits)];
}
