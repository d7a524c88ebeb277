import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** What every copy of the code must come with. */
const LEGAL = ['LICENSE', 'NOTICE'];

/** Files that are read at run time and that the compiler leaves behind. */
const ASSETS: Readonly<Record<string, readonly string[]>> = {
  server: ['store/sqlite/migrations', 'store/postgres/migrations'],
};

// build.ts: makes `dist` of the package in the working directory, as it is published.
if (import.meta.main) {
  const dist = join(process.cwd(), 'dist');
  rmSync(dist, { recursive: true, force: true });
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  for (const asset of ASSETS[basename(process.cwd())] ?? [])
    cpSync(join('src', asset), join(dist, asset), { recursive: true });
  for (const name of LEGAL) cpSync(join(ROOT, name), name);
}
