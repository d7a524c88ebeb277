import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SERVER = join(ROOT, 'packages/server/src');
const SDK = join(ROOT, 'packages/sdk/src');

/** What each folder may import besides itself: folders, or single files. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  core: [],
  catalog: ['core'],
  store: ['core'],
  egress: ['core'],
  sending: ['core', 'egress'],
  engine: ['core', 'store/port.ts', 'sending/port.ts'],
  service: ['core', 'catalog', 'engine', 'store/port.ts', 'egress'],
  telemetry: ['core'],
  config: ['core'],
  api: ['core', 'service', 'store/port.ts', 'telemetry', 'version.ts'],
  app: 'core store egress sending engine service telemetry config api version.ts'.split(' '),
  cli: ['app', 'config', 'version.ts'],
  'index.ts': ['app', 'config', 'core', 'service'],
  'version.ts': [],
};

type Import = { readonly from: string; readonly to: string; readonly line: string };

function sources(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter(
    (file) => file.endsWith('.ts') && !/\.test\.ts$|(^|\/)testing\/|contract\.ts$/.test(file),
  );
}

function imports(folder: string): Import[] {
  return sources(folder).flatMap((file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const found = text.matchAll(/^(?:import|export)\s(?:[^'";]*?from\s)?'([^']+)';$/gm);
    return [...found].map(([line, to = '']) => ({ from: file, to, line }));
  });
}

function placeOf(file: string): string {
  return file.split('/')[0] ?? file;
}

test('imports point downwards, as CONTRIBUTING.md says', () => {
  const wrong = imports(SERVER).filter(({ from, to }) => {
    if (!to.startsWith('.')) return false;
    const target = relative(SERVER, normalize(join(SERVER, dirname(from), to)));
    if (placeOf(target) === placeOf(from)) return false;
    const allowed = MAY[placeOf(from)] ?? [];
    return !allowed.some((each) => target === each || target.startsWith(`${each}/`));
  });
  assert.deepEqual(
    wrong.map(({ from, to }) => `${from} → ${to}`),
    [],
  );
});

test('only app imports a driver of the store', () => {
  const wrong = imports(SERVER).filter(
    ({ from, to }) => /store\/(sqlite|postgres)\//.test(to) && placeOf(from) !== 'app',
  );
  assert.deepEqual(wrong, []);
});

test('the SDK imports nothing from outside', () => {
  const wrong = imports(SDK).filter(({ to }) => !to.startsWith('./'));
  assert.deepEqual(wrong, []);
});

test('no file switches checks off, or has more lines than can be looked over', () => {
  const long: string[] = [];
  const loose: string[] = [];
  for (const folder of [SERVER, SDK]) {
    for (const file of sources(folder)) {
      const text = readFileSync(join(folder, file), 'utf8');
      const isGenerated = file.endsWith('.generated.ts');
      if (!isGenerated && text.split('\n').length > 330)
        long.push(`${file}: ${text.split('\n').length}`);
      if (/@ts-ignore|@ts-nocheck|oxlint-disable(?!-next-line)/.test(text)) loose.push(file);
    }
  }
  assert.deepEqual(long, []);
  assert.deepEqual(loose, []);
});
