import { ConfigError } from '../config/config.ts';
import { IMPORT_NOTE } from '../store/moving.ts';

/** How far an import has come: kept in the store that it fills, in the transactions that fill it. */
export type ImportNote = {
  /** The `Id` of the exported file. */
  readonly file: string;
  readonly rows: number;
  readonly isDone: boolean;
};

export async function importNote(store: WithSettings): Promise<ImportNote | undefined> {
  const text = await store.setting(IMPORT_NOTE);
  return text === undefined ? undefined : (JSON.parse(text) as ImportNote);
}

type WithSettings = { readonly setting: (name: string) => Promise<string | undefined> };

/** What is not there yet would be missed, and what is sent meanwhile would come again. */
export async function refuseHalfImport(store: WithSettings): Promise<void> {
  const note = await importNote(store);
  if (note === undefined || note.isDone) return;
  throw new ConfigError(
    'An import into this store has not come to its end. Run `schoolbell import` with the same file again: it goes on where it was.',
  );
}
