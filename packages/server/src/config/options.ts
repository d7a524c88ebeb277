import { WARNING_OPTIONS } from './warning-options.ts';

/** One option of the server: its flag, variable, help and documentation all come from here. */
export type Option = {
  /** The flag without its dashes; the variable is `SCHOOLBELL_` and the same in capitals. */
  readonly flag: string;
  readonly kind: 'text' | 'number' | 'switch' | 'duration' | 'list';
  readonly placeholder: string;
  readonly help: string;
  /** As an operator would write it; null where there is none or it is made at first start. */
  readonly default: string | null;
  /** True when the value is never written to a log. */
  readonly secret?: boolean;
};

/** The name an option has in code. */
export type OptionName =
  | 'host'
  | 'port'
  | 'baseUrl'
  | 'trustedProxies'
  | 'data'
  | 'databaseUrl'
  | 'databaseListenUrl'
  | 'databasePooler'
  | 'databasePoolSize'
  | 'databaseTimeout'
  | 'databaseAllowUnsafe'
  | 'adminKey'
  | 'encryptionKey'
  | 'allowNetworks'
  | 'allowMetadata'
  | 'allowPorts'
  | 'caFile'
  | 'proxy'
  | 'retrySchedule'
  | 'receiveTimeout'
  | 'requestTimeout'
  | 'connectTimeout'
  | 'switchOffAfter'
  | 'switchOffFailures'
  | 'concurrency'
  | 'maxInFlight'
  | 'sendingThreads'
  | 'maxPending'
  | 'retention'
  | 'auditRetention'
  | 'statisticsRetention'
  | 'operatorTenant'
  | 'smtpUrl'
  | 'mailFrom'
  | 'mailTo'
  | 'showSecrets'
  | 'logLevel';

/** Every option there is, in the order of help and documentation. */
export const OPTIONS: Readonly<Record<OptionName, Option>> = {
  host: {
    flag: 'host',
    kind: 'text',
    placeholder: '<address>',
    help: 'Address to listen on. Put a proxy with TLS in front before you leave the loopback.',
    default: '127.0.0.1',
  },
  port: {
    flag: 'port',
    kind: 'number',
    placeholder: '<number>',
    help: 'Port to listen on; 0 takes any free one.',
    default: '8365',
  },
  baseUrl: {
    flag: 'base-url',
    kind: 'text',
    placeholder: '<url>',
    help: 'What Location headers and links start with, where callers see another address than this process does. Taken from the request otherwise.',
    default: null,
  },
  trustedProxies: {
    flag: 'trusted-proxies',
    kind: 'list',
    placeholder: '<list>',
    help: 'Addresses and networks (CIDR) of proxies in front of this server, separated by commas. From them alone the caller’s address (X-Forwarded-For) and scheme (X-Forwarded-Proto) are taken.',
    default: '',
  },
  data: {
    flag: 'data',
    kind: 'text',
    placeholder: '<folder>',
    help: 'Folder of the embedded store and of generated keys; made with mode 0700 where absent.',
    default: './data',
  },
  databaseUrl: {
    flag: 'database-url',
    kind: 'text',
    placeholder: '<url>',
    help: 'PostgreSQL 15 or newer in place of the embedded store, as `postgres://user:password@host/database`; the same for every node. With `?sslmode=verify-full&sslrootcert=<file>` the connection is encrypted and the server is checked. Needs an admin key and an encryption key.',
    default: null,
    secret: true,
  },
  databaseListenUrl: {
    flag: 'database-listen-url',
    kind: 'text',
    placeholder: '<url>',
    help: 'Where the one connection that listens for notifications goes, where `--database-url` leads to a pooler: to PostgreSQL itself.',
    default: null,
    secret: true,
  },
  databasePooler: {
    flag: 'database-pooler',
    kind: 'switch',
    placeholder: '',
    help: 'Says that `--database-url` leads to a pooler that gives out connections by transaction: statements are not prepared, and nothing is set up for a session.',
    default: 'false',
  },
  databasePoolSize: {
    flag: 'database-pool-size',
    kind: 'number',
    placeholder: '<number>',
    help: 'Connections of one node to PostgreSQL at most, besides the one that listens.',
    default: '10',
  },
  databaseTimeout: {
    flag: 'database-timeout',
    kind: 'duration',
    placeholder: '<time>',
    help: 'Time for one statement; what takes longer is given up.',
    default: '10s',
  },
  databaseAllowUnsafe: {
    flag: 'database-allow-unsafe',
    kind: 'switch',
    placeholder: '',
    help: 'Starts although PostgreSQL runs with `fsync`, `full_page_writes` or `synchronous_commit` off, and so may lose what was acknowledged. For machines that run tests.',
    default: 'false',
  },
  adminKey: {
    flag: 'admin-key',
    kind: 'text',
    placeholder: '<key>',
    help: 'The admin key, 32 to 128 printable characters. Made, kept in the data folder and printed once at first start where absent; required with PostgreSQL.',
    default: null,
    secret: true,
  },
  encryptionKey: {
    flag: 'encryption-key',
    kind: 'text',
    placeholder: '<base64>',
    help: 'Key that registrations are encrypted with at rest: 32 bytes in base64. Several, separated by commas: the first encrypts, all decrypt. Made in the data folder where absent; required with PostgreSQL, the same for every node.',
    default: null,
    secret: true,
  },
  allowNetworks: {
    flag: 'allow-networks',
    kind: 'list',
    placeholder: '<list>',
    help: 'Networks (CIDR) and host names, each with or without a port, that webhooks may point at besides the public internet; separated by commas. Ports of other services, such as databases, are open only where they are named.',
    default: '',
  },
  allowMetadata: {
    flag: 'allow-metadata',
    kind: 'switch',
    placeholder: '',
    help: 'Lets allowed networks include the metadata addresses of cloud providers. Almost never right.',
    default: 'false',
  },
  allowPorts: {
    flag: 'allow-ports',
    kind: 'list',
    placeholder: '<list>',
    help: 'The only ports that webhooks may use outside of allowed networks, separated by commas. All that belong to no other kind of service where not said.',
    default: '',
  },
  caFile: {
    flag: 'ca-file',
    kind: 'text',
    placeholder: '<file>',
    help: 'Certificate authorities, in PEM, that receivers are trusted by besides the well-known ones. Verification cannot be switched off.',
    default: null,
  },
  proxy: {
    flag: 'proxy',
    kind: 'text',
    placeholder: '<url>',
    help: 'HTTP proxy that all webhooks are sent through, by CONNECT: `http://[user:password@]host:port`. Names are looked up and addresses judged here all the same; the proxy is told addresses. Proxy variables of the environment are not looked at.',
    default: null,
    secret: true,
  },
  retrySchedule: {
    flag: 'retry-schedule',
    kind: 'text',
    placeholder: '<list>',
    help: 'Waits before each attempt of a delivery, or the name of a profile: `standard` or `aspnet` (0s,1m,4m).',
    default: 'standard',
  },
  receiveTimeout: {
    flag: 'receive-timeout',
    kind: 'duration',
    placeholder: '<time>',
    help: 'Time in which a call to the API must have come whole; its head in a quarter of that.',
    default: '60s',
  },
  requestTimeout: {
    flag: 'request-timeout',
    kind: 'duration',
    placeholder: '<time>',
    help: 'Time for one whole attempt, from the look-up of the name to the answer.',
    default: '15s',
  },
  connectTimeout: {
    flag: 'connect-timeout',
    kind: 'duration',
    placeholder: '<time>',
    help: 'Time for connecting, TLS included.',
    default: '5s',
  },
  switchOffAfter: {
    flag: 'switch-off-after',
    kind: 'duration',
    placeholder: '<time>',
    help: 'A registration is switched off when its endpoint has taken no delivery for so long; `never` leaves it on for ever. What is not delivered is held, and its holder switches it on again by changing it.',
    default: '5d',
  },
  switchOffFailures: {
    flag: 'switch-off-failures',
    kind: 'number',
    placeholder: '<number>',
    help: 'And when so many attempts in a row have failed in that time.',
    default: '20',
  },
  concurrency: {
    flag: 'concurrency',
    kind: 'number',
    placeholder: '<number>',
    help: 'Requests in flight to one registration at most, once its answers are good; more than 8 only while they also come within a tenth of a second.',
    default: '64',
  },
  maxInFlight: {
    flag: 'max-in-flight',
    kind: 'number',
    placeholder: '<number>',
    help: 'Requests in flight over all registrations.',
    default: '512',
  },
  sendingThreads: {
    flag: 'sending-threads',
    kind: 'text',
    placeholder: '<number>',
    help: 'Threads that sign and send, besides the one that accepts and decides: 0 to 16. `auto` is one where a core is left for it: from three cores on, or from two on PostgreSQL; else none.',
    default: 'auto',
  },
  maxPending: {
    flag: 'max-pending',
    kind: 'number',
    placeholder: '<number>',
    help: 'Deliveries of one tenant that may wait, pending or held; publishing answers 429 from there on, for this tenant alone. A tenant may have a number of its own (`MaxPending`).',
    default: '1000000',
  },
  retention: {
    flag: 'retention',
    kind: 'duration',
    placeholder: '<time>',
    help: 'How long ended deliveries and their payloads are kept.',
    default: '30d',
  },
  auditRetention: {
    flag: 'audit-retention',
    kind: 'duration',
    placeholder: '<time>',
    help: 'How long the record of who did what is kept.',
    default: '365d',
  },
  statisticsRetention: {
    flag: 'statistics-retention',
    kind: 'duration',
    placeholder: '<time>',
    help: 'How long statistics are kept: by the minute for 2 days, by the hour for 60, then by the day. At least 61 days.',
    default: '800d',
  },
  ...WARNING_OPTIONS,
  showSecrets: {
    flag: 'show-secrets',
    kind: 'switch',
    placeholder: '',
    help: "Shows registrations' secrets, header values and whole URIs in every answer, as Microsoft's code does, instead of only in the first.",
    default: 'false',
  },
  logLevel: {
    flag: 'log-level',
    kind: 'text',
    placeholder: '<level>',
    help: 'One of trace, debug, info, warn, error, silent.',
    default: 'info',
  },
};

/** The environment variable of an option. */
export function variableOf(option: Option): string {
  return `SCHOOLBELL_${option.flag.toUpperCase().replaceAll('-', '_')}`;
}
