import { AppError } from '../core/errors.ts';
import { type Id, isId } from '../core/id.ts';
import type { Page } from './library.ts';

type Asked = { readonly cursor?: string; readonly limit: number };

/**
 * Reads one page, newest first: `read` is asked for one row more than the page holds, below the
 * id that the cursor stands for. Throws `bad_request` for a cursor that is not ours.
 */
export async function readPage<Query extends Asked, Row extends { readonly id: Id }>(
  query: Query,
  read: (query: Omit<Query, 'cursor'> & { readonly before?: Id }) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  const { cursor, ...rest } = query;
  const before = cursor === undefined ? {} : { before: idOf(cursor) };
  const rows = await read({ ...rest, ...before, limit: query.limit + 1 });
  const last = rows[query.limit - 1];
  const next = rows.length > query.limit && last !== undefined ? cursorOf(last.id) : null;
  return { items: rows.slice(0, query.limit), next };
}

/** Rows read at a time where they can be large, and the characters after which a page ends. */
const STEP = 16;
const MAX_PAGE_CHARACTERS = 4 * 1024 * 1024;

/** The same for rows that can be large: a page ends early when it holds enough. */
export async function readLargePage<Query extends Asked, Row extends { readonly id: Id }>(
  query: Query,
  read: (query: Omit<Query, 'cursor'> & { readonly before?: Id }) => Promise<readonly Row[]>,
  sizeOf: (row: Row) => number,
): Promise<Page<Row>> {
  const items: Row[] = [];
  let size = 0;
  let { cursor } = query;
  for (;;) {
    const limit = Math.min(STEP, query.limit - items.length);
    const rest = cursor === undefined ? { ...query, limit } : { ...query, limit, cursor };
    const page = await readPage(rest, read);
    for (const row of page.items) {
      if (size > MAX_PAGE_CHARACTERS) return { items, next: cursorOf(items.at(-1)?.id ?? '') };
      items.push(row);
      size += sizeOf(row);
    }
    if (page.next === null || items.length >= query.limit) return { items, next: page.next };
    cursor = page.next;
  }
}

function cursorOf(id: Id): string {
  return Buffer.from(id, 'latin1').toString('base64url');
}

function idOf(cursor: string): Id {
  const id = cursor.length > 64 ? '' : Buffer.from(cursor, 'base64url').toString('latin1');
  if (isId(id)) return id;
  throw new AppError(
    'bad_request',
    'The cursor is not one of ours. Take it from Next, or leave it out for the newest.',
  );
}
