import { ConfigError } from '../config/config.ts';
import { createSealer, type Sealer, SealError } from '../core/seal.ts';
import type { Store } from '../store/port.ts';

/** Under this name a store keeps what tells a wrong key. */
export const KEY_CHECK = 'encryption check';
const PLACE = { tenant: '', owner: 'installation', field: KEY_CHECK };

/**
 * What registrations are sealed with. A text sealed at first start tells a wrong key before any
 * registration is read; then it throws ConfigError.
 */
export async function openSealer(
  encryptionKey: string,
  store: Pick<Store, 'setting' | 'putSetting'>,
): Promise<Sealer> {
  const sealer = sealerOf(encryptionKey);
  const sealed = await store.setting(KEY_CHECK);
  if (sealed === undefined) {
    await renewCheck(sealer, store);
    return sealer;
  }
  try {
    sealer.open(sealed, PLACE);
    return sealer;
  } catch (cause) {
    if (!(cause instanceof SealError)) throw cause;
    throw new ConfigError(
      'The encryption key is not the one that the stored registrations were encrypted with. Put the right one into encryption.key of the data folder, or into SCHOOLBELL_ENCRYPTION_KEY.',
      { cause },
    );
  }
}

/** Seals the text that tells a wrong key with the first key. */
export async function renewCheck(sealer: Sealer, store: Pick<Store, 'putSetting'>): Promise<void> {
  await store.putSetting(KEY_CHECK, sealer.seal('schoolbell', PLACE));
}

function sealerOf(keys: string): Sealer {
  try {
    return createSealer(
      keys
        .split(/[\s,]+/)
        .filter((key) => key !== '')
        .map((key) => Buffer.from(key, 'base64')),
    );
  } catch (cause) {
    throw new ConfigError(
      '--encryption-key (SCHOOLBELL_ENCRYPTION_KEY) takes 32 bytes in base64, or several of these.',
      { cause },
    );
  }
}
