import { ALL_SHARDS, SHARDS } from '../core/shard.ts';
import type { NodeInfo, NodeRow, Store } from './port.ts';

/** The part of a store that has to do with other nodes, where there can be none. */
export function aloneCalls(): Pick<
  Store,
  'join' | 'wake' | 'drop' | 'claimArrived' | 'nodes' | 'changes'
> {
  const nodes: NodeRow[] = [];
  return {
    join: async (node: NodeInfo, { gained }) => {
      nodes.push({ ...node, startedAt: Date.now(), shards: SHARDS, silentMs: 0 });
      await gained(ALL_SHARDS);
      return { mayWork: () => true, leave: () => Promise.resolve() };
    },
    wake: () => Promise.resolve(),
    drop: () => Promise.resolve(),
    claimArrived: () => Promise.resolve([]),
    nodes: () => Promise.resolve(nodes),
    changes: () => Promise.resolve({ version: 0, changes: [] }),
  };
}
