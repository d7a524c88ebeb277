import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { refuseAddress } from '../../packages/server/src/egress/address.ts';
import { runInNamespace, skip } from './namespace.ts';

const hasFilter = spawnSync('nft', ['--version']).status === 0;

test(
  'the packet filter of deploy/ holds by itself, with every rule of the egress switched off',
  { skip: hasFilter ? skip : 'needs nft' },
  async (t) => {
    type Report = { readonly without: readonly string[]; readonly filtered: readonly string[] };
    const { without, filtered } = await runInNamespace<Report>('network-in-namespace.ts');
    const denied = (addresses: readonly string[]): readonly string[] =>
      addresses.filter((address) => refuseAddress(address) !== undefined);
    t.diagnostic(
      `denied addresses reached: ${denied(without).length} without the filter, ${denied(filtered).length} with it; public ones: ${filtered.length}`,
    );
    assert.ok(denied(without).length > 30);
    assert.deepEqual(denied(filtered), []);
    const open = without.filter((address) => refuseAddress(address) === undefined);
    assert.deepEqual(new Set(filtered), new Set(open));
  },
);
