import { type Config, ConfigError } from '../config/config.ts';
import type { Registration } from '../core/registration.ts';
import type { Sealer } from '../core/seal.ts';
import { openRegistration } from '../service/sealing.ts';
import type { MovedKind, MovedRow, Moving } from '../store/moving.ts';
import { encryptionKeyOf, makeFolder } from './data-folder.ts';
import { openSealer } from './encryption.ts';
import { type ImportNote, importNote } from './import-note.ts';
import { type FileRow, type Head, readHead, readRows } from './moving-file.ts';
import { openMoving, type OnProgress, placeOf, refuseWhileUsed } from './moving.ts';

export type ImportOptions = {
  readonly config: Config;
  readonly file: string;
  readonly onProgress: OnProgress;
};

export type Imported = {
  readonly to: string;
  readonly rows: number;
  /** Of these, what earlier runs had done. */
  readonly before: number;
};

/**
 * Fills an empty store, which no server has open, from an exported file. Cut short at any moment,
 * it goes on where it was when it is run again. The file is judged as a whole before the first row
 * is written. Throws ConfigError or Error with a sentence.
 */
export async function importInstallation(options: ImportOptions): Promise<Imported> {
  const { config, file, onProgress } = options;
  const head = await readHead(file);
  const sealer = await sealerFor(config, head);
  await judgeFile(file, head, sealer, onProgress);
  if (config.databaseUrl === null) makeFolder(config.dataDir);
  const moving = await openMoving(config);
  try {
    await refuseWhileUsed(moving);
    const before = await rowsBefore(moving, head);
    const run = new Import(moving, head, before);
    await run.load(file, onProgress);
    return { to: placeOf(config), rows: run.rows, before: before?.rows ?? 0 };
  } finally {
    await moving.close();
  }
}

/** Null where no key was ever used, so that there is nothing to open. */
async function sealerFor(config: Config, { EncryptionCheck }: Head): Promise<Sealer | null> {
  if (EncryptionCheck === null) return null;
  const embedded = config.databaseUrl === null;
  const key = config.encryptionKey ?? (embedded ? encryptionKeyOf(config.dataDir) : undefined);
  const [, keyId = ''] = EncryptionCheck.split('.');
  const needed = `The key ${keyId} that the exported registrations are encrypted with is needed here too`;
  if (key === undefined) {
    throw new ConfigError(
      `${needed}: set SCHOOLBELL_ENCRYPTION_KEY to the same value as there${embedded ? `, or copy its encryption.key into ${config.dataDir}` : ''}.`,
    );
  }
  const store = {
    setting: () => Promise.resolve(EncryptionCheck),
    putSetting: () => Promise.resolve(),
  };
  return openSealer(key, store).catch((cause: unknown) => {
    throw new ConfigError(
      `${needed}: SCHOOLBELL_ENCRYPTION_KEY (or encryption.key) is another one.`,
      { cause },
    );
  });
}

/** Reads all of it: digest, columns, and whether registrations can be decrypted. */
async function judgeFile(
  file: string,
  head: Head,
  sealer: Sealer | null,
  onProgress: OnProgress,
): Promise<void> {
  let done = 0;
  for await (const rows of readRows(file)) {
    for (const { kind, row } of rows)
      if (kind === 'registrations' && sealer !== null)
        openRegistration(sealer, registrationIn(row));
    done += rows.length;
    onProgress('Checking', done, head.Rows);
  }
}

function registrationIn([document = null]: MovedRow): Registration {
  return JSON.parse(String(document)) as Registration;
}

/** Undefined where nothing was written yet. */
async function rowsBefore(moving: Moving, head: Head): Promise<ImportNote | undefined> {
  const note = await importNote(moving);
  if (note === undefined) {
    await refuseUnlessEmpty(moving);
    return undefined;
  }
  if (note.file === head.Id && !note.isDone) return note;
  throw new ConfigError(
    note.isDone
      ? `The store is not empty: ${note.file === head.Id ? 'this file' : 'another one'} was imported into it already, to the end.`
      : 'Another file was imported into this store, and not to its end. Run that import again, or name an empty store.',
  );
}

async function refuseUnlessEmpty(moving: Moving): Promise<void> {
  const { rows } = await moving.summary();
  const found = Object.entries(rows).filter(([kind, count]) => kind !== 'settings' && count > 0);
  if (found.length === 0) return;
  const list = found.map(([kind, count]) => `${kind} (${count})`).join(', ');
  throw new ConfigError(
    `The store is not empty: it has ${list}. Name one that no server was started on.`,
  );
}

/** What is written in one transaction. */
const BATCH_ROWS = 1000;
const BATCH_BYTES = 4 * 1024 * 1024;

/** Rows on their way into the store: those of one kind in batches, in the order of the file. */
class Import {
  /** Written by now, those of earlier runs among them. */
  rows: number;
  readonly #moving: Moving;
  readonly #head: Head;
  #note: string | null;
  #kind: MovedKind = 'tenants';
  #batch: MovedRow[] = [];
  #bytes = 0;

  constructor(moving: Moving, head: Head, before: ImportNote | undefined) {
    this.#moving = moving;
    this.#head = head;
    this.rows = before?.rows ?? 0;
    this.#note = before === undefined ? null : JSON.stringify(before);
  }

  async load(file: string, onProgress: OnProgress): Promise<void> {
    await this.#moving.keepPlaces(this.#head.LastPlace);
    for await (const rows of readRows(file, this.rows)) {
      for (const row of rows) await this.#add(row);
      onProgress('Importing', this.rows, this.#head.Rows);
    }
    await this.#write();
    await this.#moving.finish(this.#step(this.rows, true));
    onProgress('Importing', this.rows, this.rows);
  }

  async #add({ kind, row, bytes }: FileRow): Promise<void> {
    const isFull = this.#batch.length === BATCH_ROWS || this.#bytes > BATCH_BYTES;
    if (kind !== this.#kind || isFull) await this.#write();
    this.#kind = kind;
    this.#batch.push(row);
    this.#bytes += bytes;
  }

  async #write(): Promise<void> {
    if (this.#batch.length === 0) return;
    const after = this.rows + this.#batch.length;
    const step = this.#step(after, false);
    await this.#moving.load({ kind: this.#kind, rows: this.#batch }, step);
    this.#note = step.to;
    this.rows = after;
    this.#batch = [];
    this.#bytes = 0;
  }

  #step(rows: number, isDone: boolean): { readonly from: string | null; readonly to: string } {
    const note: ImportNote = { file: this.#head.Id, rows, isDone };
    return { from: this.#note, to: JSON.stringify(note) };
  }
}
