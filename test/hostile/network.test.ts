import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { refuseAddress } from '../../packages/server/src/egress/address.ts';
import { runInNamespace, skip } from './namespace.ts';
import { readCorpus } from './ssrf-corpus.ts';

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
    // Of several addresses of one name, which is reached first is for the moment to say.
    const literals = readCorpus()
      .filter(({ expect }) => expect === 'allow')
      .map(({ url }) => new URL(url).hostname.replace(/^\[|\]$/g, ''))
      .filter((host) => isIP(host) !== 0);
    assert.ok(literals.length > 10);
    assert.deepEqual(
      literals.filter((address) => !filtered.includes(address)),
      [],
    );
  },
);
