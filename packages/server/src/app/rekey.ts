import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, ConfigError } from '../config/config.ts';
import { auditEntry, SERVICE } from '../core/audit.ts';
import { systemClock } from '../core/clock.ts';
import type { Registration } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';
import { isSealedAnew, openRegistration, sealRegistration } from '../service/sealing.ts';
import type { Store } from '../store/port.ts';
import { DATABASE_FILE, ENCRYPTION_KEY_FILE } from './data-folder.ts';
import { openSealer, renewCheck } from './encryption.ts';
import { openInstallation } from './installation.ts';

export type RekeyOptions = {
  readonly config: Config;
  /** Makes a new key, unless an earlier run that was cut short made one. */
  readonly makesKey: boolean;
  readonly onProgress: (done: number, of: number) => void;
};

export type Rekeyed = {
  readonly keyId: string;
  readonly registrations: number;
  /** How many had to be sealed anew; the others were already. */
  readonly changed: number;
  /** True when the key file now holds the first key alone. */
  readonly oldKeysRemoved: boolean;
};

/** Nodes that were not heard of for so long have ended. */
const GONE_AFTER_MS = 10_000;
/** Registrations sealed anew at a time. */
const STEP = 100;

/**
 * Seals all registrations with the first of the encryption keys, on a store that no server has
 * open. Cut short, it goes on where it was. Throws ConfigError or Error with a sentence.
 */
export async function rekey({ config, makesKey, onProgress }: RekeyOptions): Promise<Rekeyed> {
  const keyFile = join(config.dataDir, ENCRYPTION_KEY_FILE);
  if (config.databaseUrl === null && !existsSync(join(config.dataDir, DATABASE_FILE)))
    throw new ConfigError(`There is no store in ${config.dataDir}. Name its folder with --data.`);
  const { store, keys } = await openInstallation(config);
  try {
    await refuseWhileInUse(store);
    // The right keys first: a new one beside wrong ones would only hide the mistake.
    let sealer = await openSealer(keys.encryptionKey, store);
    if (makesKey) sealer = await openSealer(addKey(config, keyFile), store);
    const result = await sealAll(store, sealer, onProgress);
    await renewCheck(sealer, store);
    const oldKeysRemoved = config.encryptionKey === null && keepFirstKey(keyFile);
    return { keyId: sealer.keyId, ...result, oldKeysRemoved };
  } finally {
    await store.close();
  }
}

/** A node that has older keys could not read what is sealed anew. */
async function refuseWhileInUse(store: Store): Promise<void> {
  const running = (await store.nodes()).filter(({ silentMs }) => silentMs < GONE_AFTER_MS);
  if (running.length === 0) return;
  const names = running.map(({ name }) => name).join(', ');
  throw new ConfigError(`The store is in use by these nodes: ${names}. Stop them first.`);
}

async function sealAll(
  store: Store,
  sealer: Sealer,
  onProgress: RekeyOptions['onProgress'],
): Promise<Pick<Rekeyed, 'registrations' | 'changed'>> {
  const all = await store.registrations();
  const old = all.filter((registration) => !isSealedAnew(sealer, registration));
  for (let at = 0; at < old.length; at += STEP) {
    const step = old.slice(at, at + STEP);
    await Promise.all(step.map((registration) => sealAnew(store, sealer, registration)));
    onProgress(Math.min(at + STEP, old.length), old.length);
  }
  if (old.length > 0) await noteRekeying(store, sealer, old.length);
  return { registrations: all.length, changed: old.length };
}

async function sealAnew(store: Store, sealer: Sealer, sealed: Registration): Promise<void> {
  await store.updateRegistration(sealRegistration(sealer, openRegistration(sealer, sealed)));
}

async function noteRekeying(store: Store, sealer: Sealer, count: number): Promise<void> {
  const what = 'registrations encrypted anew';
  const change = {
    tenant: null,
    what,
    target: sealer.keyId,
    before: null,
    after: { Count: count },
  };
  await store.note(auditEntry(systemClock.now(), SERVICE, change));
}

/** Puts a new key before the one there is. Two are there already after a run that was cut short. */
function addKey({ encryptionKey }: Config, keyFile: string): string {
  if (encryptionKey !== null) {
    throw new ConfigError(
      'The keys come from --encryption-key (SCHOOLBELL_ENCRYPTION_KEY): put the new one first there, a comma, and the old one, and leave out --new-key.',
    );
  }
  const keys = keysOf(keyFile);
  if (keys.length === 1) writeKeys(keyFile, [randomBytes(32).toString('base64'), ...keys]);
  return keysOf(keyFile).join(',');
}

/** True when there were others. */
function keepFirstKey(keyFile: string): boolean {
  const [first = '', ...others] = keysOf(keyFile);
  if (others.length === 0) return false;
  writeKeys(keyFile, [first]);
  return true;
}

function keysOf(keyFile: string): string[] {
  return readFileSync(keyFile, 'utf8')
    .split(/[\s,]+/)
    .filter((key) => key !== '');
}

/** Whole or not at all: without its keys a store is lost. */
function writeKeys(keyFile: string, keys: readonly string[]): void {
  const written = `${keyFile}.new`;
  writeFileSync(written, `${keys.join(',\n')}\n`, { mode: 0o600, flush: true });
  renameSync(written, keyFile);
}
