import ipaddr from 'ipaddr.js';

/** Why an address is refused, for the operator's log; never shown to a tenant. */
export type AddressRule = 'not an address' | 'not public' | 'metadata';

type Range = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, bits: number];

/** IPv4 that is not the public internet: RFC 6890 and successors, and Azure's WireServer. */
const DENIED_V4 = ranges([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);

/** Only 2000::/3 is routed in public; inside it these are not, or carry an IPv4 address. */
const PUBLIC_V6 = ranges(['2000::/3']);
const DENIED_V6 = ranges(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Where cloud providers answer instances with their credentials. */
const METADATA = ranges([
  '169.254.169.254/32',
  '169.254.170.2/32',
  '169.254.170.23/32',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.192/32',
  'fd00:ec2::/32',
  'fd20:ce::/32',
  'fd00:c1::a9fe:a9fe/128',
  'fe80::a9fe:a9fe/128',
]);

/** Networks whose addresses carry an IPv4 address in their last four bytes. */
const LAST_FOUR_BYTES = ranges(['64:ff9b::/96', '::ffff:0:0:0/96']);
const SIX_TO_FOUR = ranges(['2002::/16']);

/** Undefined for an address of the public internet, else the rule that refuses it. */
export function refuseAddress(text: string): AddressRule | undefined {
  const address = parseAddress(text);
  if (address === undefined) return 'not an address';
  if (isMetadata(text)) return 'metadata';
  return isPublic(address) ? undefined : 'not public';
}

/** True for addresses that only a second, explicit option lets through. */
export function isMetadata(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && inAny(unmapped(address), METADATA);
}

/** Undefined unless it is an IP address in one of its ordinary spellings. */
export function parseAddress(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(':') || text.includes('%')) return undefined;
  return ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : undefined;
}

/** An IPv6 address that carries an IPv4 one as `::ffff:a.b.c.d` is judged as that by operators' networks. */
export function unmapped(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
    ? address.toIPv4Address()
    : address;
}

/**
 * The IPv4 address that a translator or a tunnel would carry a packet on to: NAT64, SIIT or 6to4.
 */
export function embeddedIpv4(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
  if (address instanceof ipaddr.IPv4) return undefined;
  const bytes = address.toByteArray();
  if (inAny(address, LAST_FOUR_BYTES)) return bytes.slice(12).join('.');
  return inAny(address, SIX_TO_FOUR) ? bytes.slice(2, 6).join('.') : undefined;
}

/** True when the address lies in the network. */
export function inNetwork(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Range): boolean {
  if (address instanceof ipaddr.IPv4)
    return network instanceof ipaddr.IPv4 && address.match(network, bits);
  return network instanceof ipaddr.IPv6 && address.match(network, bits);
}

function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address instanceof ipaddr.IPv4) return !inAny(address, DENIED_V4);
  return inAny(address, PUBLIC_V6) && !inAny(address, DENIED_V6) && !isIsatap(address);
}

/** Interface identifiers 0:5efe and 200:5efe carry an IPv4 address. */
function isIsatap(address: ipaddr.IPv6): boolean {
  const [high = 0, low = 0] = address.parts.slice(4, 6);
  return low === 0x5efe && (high === 0 || high === 0x200);
}

function inAny(address: ipaddr.IPv4 | ipaddr.IPv6, networks: readonly Range[]): boolean {
  return networks.some((network) => inNetwork(address, network));
}

function ranges(texts: readonly string[]): readonly Range[] {
  return texts.map((text) => ipaddr.parseCIDR(text));
}
