import { availableParallelism } from 'node:os';
import ipaddr from 'ipaddr.js';
import { parseSchedule, type Schedule } from '../core/schedule.ts';
import { parseDuration } from '../core/duration.ts';
import { isTenantId, MAX_QUOTA } from '../core/tenant.ts';
import { OPTIONS, type OptionName, variableOf } from './options.ts';

/** What an operator set, judged and typed. */
export type Config = {
  readonly host: string;
  readonly port: number;
  readonly baseUrl: string | null;
  readonly dataDir: string;
  /** PostgreSQL in place of the embedded store. */
  readonly databaseUrl: string | null;
  readonly databaseListenUrl: string | null;
  readonly databasePooler: boolean;
  readonly databasePoolSize: number;
  readonly databaseTimeoutMs: number;
  readonly databaseAllowUnsafe: boolean;
  readonly adminKey: string | null;
  readonly encryptionKey: string | null;
  /** Addresses and networks (CIDR). */
  readonly trustedProxies: readonly string[];
  readonly allowNetworks: readonly string[];
  readonly allowMetadata: boolean;
  /** Null for all that belong to no other kind of service. */
  readonly allowPorts: ReadonlySet<number> | null;
  /** Path of a PEM file. */
  readonly caFile: string | null;
  /** `http://[user:password@]host:port`. */
  readonly proxy: string | null;
  readonly schedule: Schedule;
  readonly receiveTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Null for never. */
  readonly switchOffAfterMs: number | null;
  readonly switchOffFailures: number;
  readonly concurrency: number;
  readonly maxInFlight: number;
  /** Threads that send; 0 where the main thread does. */
  readonly sendingThreads: number;
  readonly maxPending: number;
  readonly retentionMs: number;
  readonly auditRetentionMs: number;
  readonly statisticsRetentionMs: number;
  /** Tenant that gets the warnings of all tenants. */
  readonly operatorTenant: string | null;
  /** Null where no warnings are sent by e-mail. */
  readonly mail: MailConfig | null;
  readonly showSecrets: boolean;
  readonly logLevel: LogLevel;
};

export type MailConfig = {
  readonly url: string;
  readonly from: string;
  readonly to: readonly string[];
};

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A setting that cannot be used; the message is a sentence that names it and says what it takes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Flags win over variables, variables over defaults. Throws ConfigError. */
export function readConfig(
  flags: Readonly<Partial<Record<OptionName, string>>>,
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const read = new Reader(flags, env);
  const databaseUrl = read.databaseUrl('databaseUrl');
  return {
    host: read.text('host'),
    port: read.number('port', { min: 0, max: 65_535 }),
    baseUrl: read.url('baseUrl'),
    dataDir: read.text('data'),
    databaseUrl,
    databaseListenUrl: read.databaseUrl('databaseListenUrl'),
    databasePooler: read.switch('databasePooler'),
    databasePoolSize: read.number('databasePoolSize', { min: 2, max: 1000 }),
    databaseTimeoutMs: read.duration('databaseTimeout', { min: 1000, max: 600_000 }),
    databaseAllowUnsafe: read.switch('databaseAllowUnsafe'),
    adminKey: read.adminKey(),
    encryptionKey: read.optional('encryptionKey'),
    trustedProxies: read.networks('trustedProxies'),
    allowNetworks: read.list('allowNetworks'),
    allowMetadata: read.switch('allowMetadata'),
    allowPorts: read.ports('allowPorts'),
    caFile: read.optional('caFile'),
    proxy: read.optional('proxy'),
    schedule: read.schedule('retrySchedule'),
    receiveTimeoutMs: read.duration('receiveTimeout', { min: 1000, max: 600_000 }),
    requestTimeoutMs: read.duration('requestTimeout', { min: 1000, max: 300_000 }),
    connectTimeoutMs: read.duration('connectTimeout', { min: 100, max: 60_000 }),
    switchOffAfterMs: read.durationOrNever('switchOffAfter', {
      min: 60_000,
      max: 3_650 * 86_400_000,
    }),
    switchOffFailures: read.number('switchOffFailures', { min: 1, max: 1_000_000 }),
    concurrency: read.number('concurrency', { min: 1, max: 256 }),
    maxInFlight: read.number('maxInFlight', { min: 1, max: 10_000 }),
    sendingThreads: read.threads('sendingThreads', databaseUrl === null ? 2 : 1),
    maxPending: read.number('maxPending', { min: 1, max: MAX_QUOTA }),
    retentionMs: read.duration('retention', { min: 60_000, max: 3_650 * 86_400_000 }),
    auditRetentionMs: read.duration('auditRetention', {
      min: 86_400_000,
      max: 3_650 * 86_400_000,
    }),
    statisticsRetentionMs: read.duration('statisticsRetention', {
      min: 61 * 86_400_000,
      max: 3_650 * 86_400_000,
    }),
    operatorTenant: read.tenant('operatorTenant'),
    mail: read.mail(),
    showSecrets: read.switch('showSecrets'),
    logLevel: read.logLevel(),
  };
}

type Bounds = { readonly min: number; readonly max: number };

/** Reads options as what they are; each method throws ConfigError for what it cannot use. */
class Reader {
  readonly #flags: Readonly<Partial<Record<OptionName, string>>>;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(
    flags: Readonly<Partial<Record<OptionName, string>>>,
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.#flags = flags;
    this.#env = env;
  }

  optional(name: OptionName): string | null {
    const option = OPTIONS[name];
    return this.#flags[name] ?? this.#env[variableOf(option)] ?? option.default;
  }

  text(name: OptionName): string {
    return this.optional(name) ?? '';
  }

  number(name: OptionName, bounds: Bounds, unit = 'a whole number'): number {
    const text = this.text(name);
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return this.#within(name, value, bounds, unit);
  }

  /** `auto`: another thread where those that are always busy, so many, leave it a core. */
  threads(name: OptionName, busy: number): number {
    if (this.text(name) === 'auto') return availableParallelism() > busy ? 1 : 0;
    return this.number(name, { min: 0, max: 16 }, '`auto` or a whole number');
  }

  duration(name: OptionName, bounds: Bounds): number {
    const ms = parseDuration(this.text(name));
    if (ms === undefined) return this.#refuse(name, 'a time such as 500ms, 15s, 5m, 2h or 30d');
    return this.#within(name, ms, bounds, 'a time in milliseconds');
  }

  durationOrNever(name: OptionName, bounds: Bounds): number | null {
    return ['0', 'never'].includes(this.text(name).trim().toLowerCase())
      ? null
      : this.duration(name, bounds);
  }

  list(name: OptionName): string[] {
    const items = this.text(name).split(',');
    return items.map((item) => item.trim()).filter((item) => item !== '');
  }

  ports(name: OptionName): ReadonlySet<number> | null {
    const items = this.list(name);
    if (items.every((item) => /^[1-9]\d{0,4}$/.test(item) && Number(item) < 65_536))
      return items.length === 0 ? null : new Set(items.map(Number));
    return this.#refuse(name, 'port numbers from 1 to 65535, separated by commas');
  }

  switch(name: OptionName): boolean {
    const value = this.text(name).toLowerCase();
    if (['1', 'true', 'yes', 'on'].includes(value)) return true;
    if (['', '0', 'false', 'no', 'off'].includes(value)) return false;
    return this.#refuse(name, 'true or false');
  }

  url(name: OptionName): string | null {
    const value = this.optional(name);
    if (value === null) return null;
    const protocol = URL.canParse(value) ? new URL(value).protocol : '';
    if (protocol === 'http:' || protocol === 'https:') return value.replace(/\/+$/, '');
    return this.#refuse(name, 'an absolute http or https URL');
  }

  databaseUrl(name: OptionName): string | null {
    const value = this.optional(name);
    if (value === null || value === '') return null;
    const protocol = URL.canParse(value) ? new URL(value).protocol : '';
    if (protocol === 'postgres:' || protocol === 'postgresql:') return value;
    return this.#refuse(name, 'a URL such as postgres://user:password@host/database');
  }

  networks(name: OptionName): readonly string[] {
    const networks = this.list(name);
    if (networks.every(isNetwork)) return networks;
    return this.#refuse(name, 'addresses and networks such as 10.0.0.0/8, separated by commas');
  }

  schedule(name: OptionName): Schedule {
    try {
      return parseSchedule(this.text(name));
    } catch {
      return this.#refuse(name, "'standard', 'aspnet' or waits such as 0s,5s,1m,2h");
    }
  }

  adminKey(): string | null {
    const key = this.optional('adminKey');
    if (key === null || /^[\x21-\x7e]{32,128}$/.test(key)) return key;
    return this.#refuse('adminKey', '32 to 128 printable characters without spaces');
  }

  tenant(name: OptionName): string | null {
    const id = this.optional(name);
    if (id === null || isTenantId(id)) return id;
    return this.#refuse(name, 'the id of a tenant');
  }

  mail(): MailConfig | null {
    const url = this.optional('smtpUrl');
    const to = this.list('mailTo');
    if (url === null && to.length === 0) return null;
    if (url === null || !isMailServer(url))
      return this.#refuse('smtpUrl', 'smtp[s]://[user:password@]host[:port]');
    if (to.length === 0 || !to.every(isAddress))
      return this.#refuse('mailTo', 'e-mail addresses, separated by commas, beside --smtp-url');
    const from = this.text('mailFrom');
    return isAddress(from) ? { url, from, to } : this.#refuse('mailFrom', 'an e-mail address');
  }

  logLevel(): LogLevel {
    const level = LOG_LEVELS.find((known) => known === this.text('logLevel').toLowerCase());
    return level ?? this.#refuse('logLevel', `one of ${LOG_LEVELS.join(', ')}`);
  }

  #within(name: OptionName, value: number, { min, max }: Bounds, unit: string): number {
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    return this.#refuse(name, `${unit} from ${min} to ${max}`);
  }

  #refuse(name: OptionName, wanted: string): never {
    const option = OPTIONS[name];
    const given = option.secret === true ? '' : ` It is '${this.text(name)}'.`;
    throw new ConfigError(`--${option.flag} (${variableOf(option)}) takes ${wanted}.${given}`);
  }
}

function isAddress(text: string): boolean {
  return text.length <= 320 && /^[^\s@<>,;:"()[\]\\]+@[^\s@<>,;:"()[\]\\]+$/.test(text);
}

const MAIL_PROTOCOLS: readonly string[] = ['smtp:', 'smtps:'];

function isMailServer(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(url);
  const isBare = ['', '/'].includes(pathname) && search === '' && hash === '';
  return MAIL_PROTOCOLS.includes(protocol) && hostname !== '' && isBare;
}

/** True for an address with or without the length of a prefix, written in full. */
function isNetwork(text: string): boolean {
  const { IPv4, IPv6 } = ipaddr;
  if (text.includes('/')) return IPv4.isValidCIDRFourPartDecimal(text) || IPv6.isValidCIDR(text);
  return IPv4.isValidFourPartDecimal(text) || IPv6.isValid(text);
}
