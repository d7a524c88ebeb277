import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHARDS, shardOf } from './shard.ts';

test('a registration has the shard that is stored with its deliveries, in every version', () => {
  assert.equal(shardOf({ tenant: 'default', id: '0192d3b0c5f27a3e9c41b7f0a2d4e6f8' }), 50);
  assert.equal(shardOf({ tenant: 'a', id: 'r1' }), 23);
  assert.equal(shardOf({ tenant: 'skola-é', id: 'r2' }), 15);
});

test('registrations are spread over all shards, however alike their ids are', () => {
  const counts = new Map<number, number>();
  for (let n = 0; n < SHARDS * 100; n += 1) {
    const shard = shardOf({ tenant: 'default', id: String(n) });
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  assert.equal(counts.size, SHARDS);
  assert.ok(Math.max(...counts.values()) < 200, 'one has twice its share');
});
