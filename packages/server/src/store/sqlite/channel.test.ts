import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Channel } from './channel.ts';

/** A channel whose thread waits at a gate, so that what is called before `go` is one group. */
function open(t: TestContext): { channel: Channel; go: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-channel-'));
  const channel = new Channel(new URL('./testing/faulty.ts', import.meta.url), {
    path: join(folder, 'names.db'),
  });
  t.after(async () => {
    await channel.close();
    rmSync(folder, { recursive: true });
  });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const waiting = channel.call('waitFor', gate);
  waiting.catch(() => undefined);
  const go = (): void => {
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
  };
  return { channel, go };
}

test('a call during which SQLite rolls back leaves the others of its group written once', async (t) => {
  const { channel, go } = open(t);
  const calls = [
    channel.call('insert', 'before'),
    channel.call('rollBack'),
    channel.call('insert', 'after'),
  ];
  go();
  const results = await Promise.allSettled(calls);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(await channel.call('names'), ['after', 'before']);
});

test('when the thread dies, what waits is rejected, and so is what comes later', async (t) => {
  const { channel, go } = open(t);
  const calls = [channel.call('crash'), channel.call('insert', 'never')];
  go();
  const results = await Promise.allSettled(calls);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await assert.rejects(channel.call('names'), { code: 'unavailable', message: /has ended/ });
});

test('closing lets what was called before finish', async (t) => {
  const { channel, go } = open(t);
  const insert = channel.call('insert', 'kept');
  const closed = channel.close();
  go();
  assert.equal(await insert, 1);
  await closed;
  await assert.rejects(channel.call('names'));
});
