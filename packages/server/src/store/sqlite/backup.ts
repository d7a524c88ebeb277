import { chmodSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';

/** Pages copied in one go; the server's commits get their turns between. */
const PAGES_PER_STEP = 2000;

/**
 * Copies the store as it is at one moment into a new file, also while a server writes to it; how
 * many pages that were.
 */
export async function backUpStore(
  path: string,
  target: string,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  const source = new DatabaseSync(path, { readOnly: true });
  try {
    // One read transaction: else each commit of the server would start the copy anew.
    source.exec('begin');
    const pages = await backup(source, target, {
      rate: PAGES_PER_STEP,
      progress: ({ totalPages, remainingPages }) =>
        onProgress(totalPages - remainingPages, totalPages),
    });
    chmodSync(target, 0o600);
    return pages;
  } finally {
    source.close();
  }
}
