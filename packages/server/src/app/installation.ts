import { type Config, ConfigError } from '../config/config.ts';
import type { Store } from '../store/port.ts';
import type { PostgresOptions } from '../store/postgres/open.ts';
import { openPostgresStore } from '../store/postgres/store.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';
import { openDataFolder } from './data-folder.ts';
import { refuseHalfImport } from './import-note.ts';

/** The keys of an installation, given or found. */
export type InstallationKeys = {
  readonly adminKey: string;
  /** True when the admin key was made now: the only time it is printed. */
  readonly adminKeyIsNew: boolean;
  /** Base64; several separated by commas. */
  readonly encryptionKey: string;
};

/** What a node stands on: where everything is kept, and the keys to it. */
export type Installation = { readonly store: Store; readonly keys: InstallationKeys };

/** Opens PostgreSQL where it is configured, else the store in the data folder. Throws ConfigError or Error with a sentence. */
export async function openInstallation(config: Config): Promise<Installation> {
  const installation =
    config.databaseUrl === null ? await openEmbedded(config) : await openShared(config);
  try {
    await refuseHalfImport(installation.store);
    return installation;
  } catch (error) {
    await installation.store.close();
    throw error;
  }
}

async function openEmbedded(config: Config): Promise<Installation> {
  const { databasePath, ...keys } = openDataFolder({ ...config, path: config.dataDir });
  return { store: await openSqliteStore({ path: databasePath }), keys };
}

/** Nodes must have the same keys, so none makes its own. */
async function openShared(config: Config): Promise<Installation> {
  const { adminKey, encryptionKey } = config;
  if (adminKey === null) throw missing('--admin-key (SCHOOLBELL_ADMIN_KEY)');
  if (encryptionKey === null) throw missing('--encryption-key (SCHOOLBELL_ENCRYPTION_KEY)');
  const store = await openPostgresStore(postgresOptions(config)).catch(refusePostgres);
  return { store, keys: { adminKey, adminKeyIsNew: false, encryptionKey } };
}

/** How the database is reached that `databaseUrl` names. */
export function postgresOptions(config: Config): PostgresOptions {
  return {
    url: config.databaseUrl ?? '',
    listenUrl: config.databaseListenUrl,
    pooled: config.databasePooler,
    poolSize: config.databasePoolSize,
    statementTimeoutMs: config.databaseTimeoutMs,
    allowUnsafe: config.databaseAllowUnsafe,
  };
}

export function refusePostgres(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new ConfigError(`PostgreSQL (SCHOOLBELL_DATABASE_URL) cannot be used: ${reason}`, {
    cause,
  });
}

function missing(option: string): ConfigError {
  return new ConfigError(
    `With PostgreSQL ${option} must be set, to the same value for every node. Make one with: openssl rand -base64 32`,
  );
}
