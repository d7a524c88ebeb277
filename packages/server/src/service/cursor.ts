import { AppError } from '../core/errors.ts';
import { type Id, isId } from '../core/id.ts';

/** The id a page begins below; undefined for the first page. Throws `bad_request` for a cursor that is not ours. */
export function readCursor(cursor: string | undefined): Id | undefined {
  if (cursor === undefined) return undefined;
  const id = cursor.length > 64 ? '' : Buffer.from(cursor, 'base64url').toString('latin1');
  if (isId(id)) return id;
  throw new AppError(
    'bad_request',
    'The cursor is not one of ours. Take it from Next, or leave it out for the newest.',
  );
}

/** What the next page begins with, given one row more than the page holds; null on the last page. */
export function pageCursor(rows: readonly { readonly id: Id }[], limit: number): string | null {
  const last = rows[limit - 1];
  if (rows.length <= limit || last === undefined) return null;
  return Buffer.from(last.id, 'latin1').toString('base64url');
}
