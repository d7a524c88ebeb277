import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';
import type * as Sdk from '../../packages/sdk/src/index.ts';
import type * as Server from '../../packages/server/src/index.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Below `node_modules`, where Node runs no TypeScript and finds the dependencies of the packages. */
let folder = '';

before(() => {
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'packages-'));
  execFileSync('npm', ['pack', '--workspaces', '--silent', '--pack-destination', folder], {
    cwd: ROOT,
  });
  for (const name of ['schoolbell', 'schoolbell-sdk']) unpack(name);
});

after(() => rmSync(folder, { recursive: true, force: true }));

function unpack(name: string): void {
  const archive = readdirSync(folder).find((file) => RegExp(`^${name}-\\d.*\\.tgz$`).test(file));
  mkdirSync(join(folder, name));
  execFileSync('tar', ['-xzf', join(folder, archive ?? ''), '-C', join(folder, name)]);
}

function packageFolder(name: string): string {
  return join(folder, name, 'package');
}

async function importPackage<Module>(name: string): Promise<Module> {
  return import(pathToFileURL(join(packageFolder(name), 'dist/index.js')).href) as Promise<Module>;
}

async function complaintsAbout(name: string): Promise<(string | undefined)[]> {
  const { messages, pkg } = await publint({ pkgDir: packageFolder(name), strict: true });
  return messages.map((message) => formatMessage(message, pkg));
}

test('both packages are as publint wants them', async () => {
  assert.deepEqual(await complaintsAbout('schoolbell'), []);
  assert.deepEqual(await complaintsAbout('schoolbell-sdk'), []);
});

test('what is published holds no tests and needs no install script', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    files.filter((file) => /\.test\.|\/testing\/|testdata/.test(file)),
    [],
  );
  const manifest = execFileSync('npm', ['pkg', 'get', 'scripts'], {
    cwd: packageFolder('schoolbell'),
    encoding: 'utf8',
  });
  assert.doesNotMatch(manifest, /install/);
});

test('the published server serves what the published SDK publishes', async () => {
  const { SchoolbellClient } = await importPackage<typeof Sdk>('schoolbell-sdk');
  const server = await startServerProcess({
    dataDir: join(folder, 'data'),
    port: 0,
    entry: join(packageFolder('schoolbell'), 'dist/cli/main.js'),
  });
  try {
    const client = new SchoolbellClient({ baseUrl: server.url, key: server.adminKey });
    const receipt = await client.publish({ Action: 'CourseCompleted' });
    assert.equal(receipt.Deliveries, 0);
  } finally {
    await endProcess(server.process);
  }
});

test('the published library answers inside the HTTP server of its host', async () => {
  const { openSchoolbell } = await importPackage<typeof Server>('schoolbell');
  const schoolbell = await openSchoolbell({ dataDir: join(folder, 'hosted'), logLevel: 'silent' });
  await schoolbell.api.ready();
  const host = createServer((request, response) => schoolbell.api.routing(request, response));
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = host.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`);
    assert.deepEqual([answer.status, await answer.json()], [200, { Status: 'ready' }]);
  } finally {
    host.closeAllConnections();
    host.close();
    await schoolbell.stop();
  }
});
