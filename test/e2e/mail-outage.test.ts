import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { backlogGrowing } from '../../packages/server/src/core/warning.ts';
import { openMailer } from '../../packages/server/src/egress/mail.ts';
import { createWarnings } from '../../packages/server/src/service/warnings.ts';

const SERVER = fileURLToPath(new URL('./mail-server.ts', import.meta.url));
const servers: ChildProcess[] = [];
after(() => {
  for (const server of servers) if (server.connected) server.disconnect();
});

async function startServer(port = 0): Promise<{ server: ChildProcess; port: number }> {
  const server = fork(SERVER, [String(port)]);
  servers.push(server);
  const [message] = (await once(server, 'message')) as [{ port: number }];
  return { server, port: message.port };
}

/** Warnings by mail to this port, whose pauses last until the test ends them. */
function warningsTo(port: number) {
  const errors: unknown[] = [];
  const pauses: { ms: number; end: () => void }[] = [];
  let noticed = (): void => undefined;
  const warnings = createWarnings({
    accept: () => Promise.resolve({ kind: 'accepted', receipts: [], isRepeated: false }),
    poke: () => undefined,
    clock: { now: () => Date.now() },
    operatorTenant: null,
    mailer: openMailer({
      url: `smtp://127.0.0.1:${port}`,
      from: 'bell@school.example',
      to: ['office@school.example'],
      extraCa: [],
    }),
    wait: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', reject);
        pauses.push({ ms, end: resolve });
        noticed();
      }),
    onError: (error) => errors.push(error),
  });
  const paused = async (count: number): Promise<void> => {
    while (pauses.length < count) await new Promise<void>((resolve) => (noticed = resolve));
  };
  return { warnings, errors, pauses, paused };
}

test('a mail that the server was not there for is sent when it is there again', async () => {
  const { server, port } = await startServer();
  server.kill('SIGKILL');
  await once(server, 'exit');
  const { warnings, errors, pauses, paused } = warningsTo(port);
  warnings.warn(backlogGrowing('northfield', 5000, 1000));
  await paused(1);
  pauses[0]?.end();
  await paused(2);
  assert.equal(errors.length, 2);
  assert.match(String(errors[0]), /ECONNREFUSED/);
  const { server: back } = await startServer(port);
  const mailed = once(back, 'message');
  pauses[1]?.end();
  const [{ text }] = (await mailed) as [{ text: string }];
  assert.match(text, /BacklogGrowing \(northfield\)/);
  await warnings.stop();
  assert.deepEqual([errors.length, pauses.length], [2, 2]);
});

test('it is tried a few times with growing pauses, and no more once all is stopped', async () => {
  const { server, port } = await startServer();
  server.kill('SIGKILL');
  await once(server, 'exit');
  const { warnings, errors, pauses, paused } = warningsTo(port);
  warnings.warn(backlogGrowing('northfield', 5000, 1000));
  for (let count = 1; count <= 3; count += 1) {
    await paused(count);
    pauses[count - 1]?.end();
  }
  await paused(4);
  assert.deepEqual(
    pauses.map(({ ms }) => ms),
    [10_000, 60_000, 300_000, 1_200_000],
  );
  await warnings.stop();
  pauses[3]?.end();
  assert.deepEqual([errors.length, pauses.length], [4, 4]);
});
