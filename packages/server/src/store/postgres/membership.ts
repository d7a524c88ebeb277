import { integer } from '../rows.ts';
import type { Database, Statement } from './database.ts';

const JOIN: Statement = {
  name: 'join',
  text: `
insert into nodes (name, version, expires_at)
values ($1, $2, clock_timestamp() + interval '5 seconds')
returning epoch`,
};

const LEAVE: Statement = {
  name: 'leave',
  text: 'delete from nodes where epoch = $1',
};

/** Becomes a node; the epoch to write under. */
export async function join(
  database: Database,
  node: { readonly name: string; readonly version: string },
): Promise<number> {
  const [row = {}] = await database.query(JOIN, [node.name, node.version]);
  return integer(row, 'epoch');
}

export async function leave(database: Database, epoch: number): Promise<void> {
  await database.query(LEAVE, [epoch]);
}
