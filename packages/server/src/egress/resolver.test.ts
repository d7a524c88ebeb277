import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createResolver } from './resolver.ts';

test('knows localhost by rule', async () => {
  assert.deepEqual(await createResolver()('localhost'), ['127.0.0.1', '::1']);
  assert.deepEqual(await createResolver()('localhost.'), ['127.0.0.1', '::1']);
});

test('takes the names of the hosts file from there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  writeFileSync(
    hostsFile,
    '# comment\n172.17.0.1\tHost.docker.internal alias # gateway\nfd00::1 alias\nfe80::1%lo0 alias\nnonsense\n',
  );
  const resolve = createResolver({ hostsFile });
  assert.deepEqual(await resolve('host.docker.internal'), ['172.17.0.1']);
  assert.deepEqual(await resolve('alias.'), ['172.17.0.1', 'fd00::1']);
});

test('asks for the very name, A and AAAA, and gives up by itself where nobody answers', async () => {
  const silent = createSocket('udp4');
  const asked: string[] = [];
  silent.on('message', (query) => asked.push(nameIn(query)));
  silent.bind(0, '127.0.0.1');
  await once(silent, 'listening');
  const resolve = createResolver({
    servers: [`127.0.0.1:${silent.address().port}`],
    timeoutMs: 50,
  });
  await assert.rejects(resolve('receiver.test'), { code: 'ETIMEOUT' });
  silent.close();
  assert.deepEqual(new Set(asked), new Set(['receiver.test']));
  assert.equal(asked.length, 4);
});

/** The name in the question of a DNS message. */
function nameIn(message: Buffer): string {
  const labels: string[] = [];
  for (let at = 12, length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return labels.join('.');
}
