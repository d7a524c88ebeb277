import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ResponseCollector } from './response.ts';

test('a body that comes in very many chunks holds on to little more than its bytes', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    // What the first collection finds is given back by the second.
    collect();
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  const before = held();
  const collectors = Array.from({ length: 20 }, () => new ResponseCollector());
  for (const collector of collectors) {
    collector.head(200, []);
    for (let read = 0; read < 10; read += 1) {
      const bytes = Buffer.alloc(65_536, 'a');
      for (let at = 0; at < 60_000; at += 10) collector.data(bytes.subarray(at, at + 1));
    }
  }
  const grown = held() - before;
  assert.ok(grown < 20 * 6 * 65_536, `${grown} bytes`);
  for (const collector of collectors) {
    const outcome = collector.outcome(false);
    assert.equal(outcome.kind === 'response' && outcome.response.body.length, 60_000);
  }
});
