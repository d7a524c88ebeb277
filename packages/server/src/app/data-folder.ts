import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '../config/config.ts';

/** The embedded store and the keys, by name of file. */
export const DATABASE_FILE = 'schoolbell.db';
const ADMIN_KEY_FILE = 'admin.key';
export const ENCRYPTION_KEY_FILE = 'encryption.key';
export const KEY_FILES: readonly string[] = [ADMIN_KEY_FILE, ENCRYPTION_KEY_FILE];

/** What is found in, or was just made for, the data folder. */
export type DataFolder = {
  readonly databasePath: string;
  readonly adminKey: string;
  /** True when the admin key was made now: the only time it is printed. */
  readonly adminKeyIsNew: boolean;
  /** Base64; several separated by commas. */
  readonly encryptionKey: string;
};

export type DataFolderOptions = {
  readonly path: string;
  readonly adminKey: string | null;
  readonly encryptionKey: string | null;
};

/** Makes the folder and its keys where absent. Throws ConfigError with a sentence when it cannot be used. */
export function openDataFolder(options: DataFolderOptions): DataFolder {
  makeFolder(options.path);
  const admin = keyFrom(
    options.adminKey,
    join(options.path, ADMIN_KEY_FILE),
    () => `sba_${randomKey()}`,
  );
  const databasePath = join(options.path, DATABASE_FILE);
  const encryptionPath = join(options.path, ENCRYPTION_KEY_FILE);
  if (options.encryptionKey === null && existsSync(databasePath) && !existsSync(encryptionPath)) {
    throw new ConfigError(
      `The key that registrations are encrypted with is missing: ${encryptionPath}. Put it back, or name it in SCHOOLBELL_ENCRYPTION_KEY; without it no registration can be read.`,
    );
  }
  const encryption = keyFrom(options.encryptionKey, encryptionPath, () =>
    randomBytes(32).toString('base64'),
  );
  return {
    databasePath,
    adminKey: admin.key,
    adminKeyIsNew: admin.isNew,
    encryptionKey: encryption.key,
  };
}

/** The key that registrations of a store in this folder are to be encrypted with, if it is there already. */
export function encryptionKeyOf(path: string): string | undefined {
  const file = join(path, ENCRYPTION_KEY_FILE);
  return existsSync(file) ? readKey(file) : undefined;
}

/** Throws ConfigError with a sentence when it cannot be made. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new ConfigError(`The data folder ${path} cannot be made: ${messageOf(cause)}`, { cause });
  }
}

function keyFrom(
  given: string | null,
  path: string,
  make: () => string,
): { readonly key: string; readonly isNew: boolean } {
  if (given !== null) return { key: given, isNew: false };
  if (existsSync(path)) return { key: readKey(path), isNew: false };
  const key = make();
  try {
    writeFileSync(path, `${key}\n`, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new ConfigError(`The key file ${path} cannot be written: ${messageOf(cause)}`, { cause });
  }
  return { key, isNew: true };
}

function readKey(path: string): string {
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new ConfigError(`Others may read the key file ${path}. Run: chmod 600 ${path}`);
  }
  const key = readFileSync(path, 'utf8').trim();
  if (key === '')
    throw new ConfigError(`The key file ${path} is empty. Put the key back, or remove the file.`);
  return key;
}

function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
