import { randomBytes } from 'node:crypto';
import { PostgresServer } from '../../tools/postgres/server.ts';
import { DatabaseLink } from './database-link.ts';
import type { NodePlan } from './run.ts';

/** A database of its own with the ways that nodes have to it. */
export type Cluster = {
  readonly postgres: PostgresServer;
  /** One for each node. */
  readonly links: readonly DatabaseLink[];
  readonly nodes: readonly NodePlan[];
};

/** Makes what so many nodes need, gives it to `work`, and removes it. */
export async function withCluster<T>(
  count: number,
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const postgres = await PostgresServer.create();
  const links: DatabaseLink[] = [];
  try {
    for (let n = 0; n < count; n += 1) links.push(await DatabaseLink.open(postgres));
    const adminKey = randomBytes(24).toString('hex');
    const encryptionKey = randomBytes(32).toString('base64');
    const nodes = links.map((link) => ({
      adminKey,
      flags: ['--database-url', link.url('postgres'), '--encryption-key', encryptionKey],
    }));
    return await work({ postgres, links, nodes });
  } finally {
    await Promise.all(links.map((link) => link.close()));
    await postgres.remove();
  }
}
