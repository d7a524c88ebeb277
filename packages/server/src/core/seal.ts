import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';

/** A sealed text could not be opened: another key, another place, or changed bytes. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

/** Where a sealed text belongs; it opens nowhere else. */
export type SealPlace = { readonly tenant: string; readonly owner: string; readonly field: string };

export type Sealer = {
  /** Id of the key that seals. */
  readonly keyId: string;
  /** `v1.<key id>.<nonce>.<ciphertext and tag>`, AES-256-GCM. */
  readonly seal: (text: string, place: SealPlace) => string;
  /** Throws SealError. */
  readonly open: (sealed: string, place: SealPlace) => string;
  /** True when it was sealed with the first key. */
  readonly isCurrent: (sealed: string) => boolean;
  /** Tells two texts of one place apart without telling anything else of them. */
  readonly nameOf: (text: string, place: SealPlace) => string;
  /** The same where there are so many texts that short names would meet: 32 hexadecimal digits. */
  readonly digestOf: (text: string, place: SealPlace) => string;
};

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^v1\.([0-9a-f]{8})\.([\w-]{16})\.([\w-]{22,})$/;

/** The first key seals, all of them open. Each is 32 bytes; throws RangeError otherwise. */
export function createSealer(keys: readonly Uint8Array[]): Sealer {
  const byId = new Map(keys.map((key) => [keyIdOf(key), key]));
  const [first] = keys;
  if (first === undefined || keys.some((key) => key.length !== KEY_BYTES)) {
    throw new RangeError(`an encryption key is ${KEY_BYTES} bytes`);
  }
  const keyId = keyIdOf(first);
  const namingKey = createHmac('sha256', first).update('names of secrets').digest();
  return {
    keyId,
    seal: (text, place) => seal({ keyId, key: first }, text, place),
    open: (sealed, place) => open(byId, sealed, place),
    isCurrent: (sealed) => sealed.startsWith(`v1.${keyId}.`),
    nameOf: (text, place) => `#${digestOf(namingKey, text, place).slice(0, 8)}`,
    digestOf: (text, place) => digestOf(namingKey, text, place),
  };
}

/** First 8 hexadecimal digits of the key's SHA-256: names a key without telling it. */
export function keyIdOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

function seal(with_: { keyId: string; key: Uint8Array }, text: string, place: SealPlace): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', with_.key, nonce).setAAD(bindingOf(place));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `v1.${with_.keyId}.${nonce.toString('base64url')}.${sealed.toString('base64url')}`;
}

function open(keys: ReadonlyMap<string, Uint8Array>, sealed: string, place: SealPlace): string {
  const [, keyId = '', nonce = '', text = ''] = SEALED.exec(sealed) ?? [];
  if (keyId === '') throw new SealError(`${place.field} is not a sealed text`);
  const key = keys.get(keyId);
  if (key === undefined) throw new SealError(`sealed with another key: ${keyId}`);
  const bytes = Buffer.from(text, 'base64url');
  try {
    const iv = Buffer.from(nonce, 'base64url');
    const options = { authTagLength: TAG_BYTES };
    const decipher = createDecipheriv('aes-256-gcm', key, iv, options);
    decipher.setAAD(bindingOf(place)).setAuthTag(bytes.subarray(-TAG_BYTES));
    const opened = [decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()];
    return Buffer.concat(opened).toString('utf8');
  } catch (cause) {
    throw new SealError(`${place.field} cannot be opened`, { cause });
  }
}

/** With a key, so that short secrets cannot be guessed from their names. */
function digestOf(namingKey: Buffer, text: string, place: SealPlace): string {
  const hmac = createHmac('sha256', namingKey).update(bindingOf(place)).update('\u001f');
  return hmac.update(text).digest('hex').slice(0, 32);
}

function bindingOf({ tenant, owner, field }: SealPlace): Buffer {
  return Buffer.from([tenant, owner, field].join('\u001f'));
}
