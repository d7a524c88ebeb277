import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const REGISTRY = 'https://registry.npmjs.org/';
const read = (path: string) => JSON.parse(readFileSync(new URL(path, ROOT), 'utf8'));

type Locked = { readonly resolved?: string; readonly integrity?: string; readonly link?: boolean };

test('every dependency is locked with its digest, and comes from no other place than the registry', () => {
  const { packages } = read('package-lock.json') as { packages: Record<string, Locked> };
  const loose = Object.entries(packages).filter(
    ([path, { resolved, integrity, link }]) =>
      path.startsWith('node_modules/') &&
      link !== true &&
      (!(resolved ?? REGISTRY).startsWith(REGISTRY) || integrity?.startsWith('sha512-') !== true),
  );
  assert.deepEqual(
    loose.map(([path]) => path),
    [],
  );
});

test('nothing of ours runs when it is installed', () => {
  for (const path of [
    'package.json',
    'packages/server/package.json',
    'packages/sdk/package.json',
  ]) {
    const scripts: Record<string, string> = read(path).scripts ?? {};
    const atInstall = Object.keys(scripts).filter((name) =>
      /^(pre|post)?install$|^prepare$|^(pre|post)prepare$|^dependencies$/.test(name),
    );
    assert.deepEqual(atInstall, [], path);
  }
});

test('the SDK depends on nothing, and the server on few', () => {
  assert.equal(read('packages/sdk/package.json').dependencies, undefined);
  const direct = Object.keys(read('packages/server/package.json').dependencies);
  assert.ok(direct.length <= 20, direct.join(', '));
});
