import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';
import { BUILTIN_FILTERS } from '../../packages/server/src/catalog/builtin.ts';
import type { Store } from '../../packages/server/src/store/port.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/store.ts';
import { fill } from './fill.ts';

/** What a store that was filled before must still agree with. */
const SHAPES = ['store/sqlite/migrations/0001.sql', 'core/registration.ts'].map(
  (name) => new URL(`../../packages/server/src/${name}`, import.meta.url),
);
/** Nothing is sent there. */
const PAST = 'http://127.0.0.1:65535/past?noecho';
const TENANTS = 20;
const REGISTRATIONS_PER_TENANT = 100;
const DAY_MS = 86_400_000;
/** The oldest row is so old: within the retention of 30 days. */
export const OLDEST_DAYS = 28;

export type FilledStore = {
  readonly folder: string;
  readonly registrations: readonly Owner[];
  readonly megabytes: number;
};

export type Owner = { readonly tenant: string; readonly id: string };

/** A data folder with so many attempts; the one that is there already where its schema is this one's. */
export async function filledStore(
  folder: string,
  attempts: number,
  onProgress: (text: string) => void,
): Promise<FilledStore> {
  const hash = createHash('sha256');
  for (const shape of SHAPES) hash.update(readFileSync(shape));
  const schema = hash.digest('hex');
  const about = join(folder, 'filled.json');
  const known = existsSync(about) ? (JSON.parse(readFileSync(about, 'utf8')) as Known) : undefined;
  if (known?.schema === schema && known.attempts === attempts) return describe(folder, known);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const registrations = await setUp(folder);
  const now = Date.now();
  const path = join(folder, 'schoolbell.db');
  fill({ path, attempts, registrations, from: now - OLDEST_DAYS * DAY_MS, to: now, onProgress });
  await noteKeys(await openSqliteStore({ path }));
  const filled = { schema, attempts, registrations };
  writeFileSync(about, JSON.stringify(filled));
  return describe(folder, filled);
}

const EVENTS_PER_STEP = 2000;

/** What events are found by, as a server notes it. Closes the store. */
export async function noteKeys(store: Pick<Store, 'index' | 'close'>): Promise<void> {
  const paths = Object.fromEntries(
    BUILTIN_FILTERS.map(({ name, subjects }) => [name.toLowerCase(), subjects]),
  );
  while ((await store.index(paths, EVENTS_PER_STEP)) >= EVENTS_PER_STEP);
  await store.close();
}

type Known = {
  readonly schema: string;
  readonly attempts: number;
  readonly registrations: readonly Owner[];
};

function describe(folder: string, { registrations }: Known): FilledStore {
  const megabytes = statSync(join(folder, 'schoolbell.db')).size / 2 ** 20;
  return { folder, registrations, megabytes };
}

/** Tenants and registrations are made through the API, so that they are as any other. */
async function setUp(folder: string): Promise<Owner[]> {
  const server = await startServerProcess({ dataDir: folder, port: 0 });
  try {
    const owners: Owner[] = [];
    for (let t = 0; t < TENANTS; t += 1) {
      const tenant = `past${t}`;
      await call(server, '/admin/tenants', { Id: tenant });
      for (let n = 0; n < REGISTRATIONS_PER_TENANT; n += 1)
        owners.push({
          tenant,
          id: await register(server, tenant, PAST),
        });
    }
    return owners;
  } finally {
    await endProcess(server.process);
  }
}

/** The new registration's id. */
export async function register(
  server: ServerProcess,
  tenant: string,
  WebHookUri: string,
): Promise<string> {
  return (await call<{ Id: string }>(server, '/webhooks/registrations', { WebHookUri }, tenant)).Id;
}

export async function call<T>(
  server: ServerProcess,
  path: string,
  body: unknown,
  tenant = 'default',
): Promise<T> {
  const headers = {
    authorization: `Bearer ${server.adminKey}`,
    'content-type': 'application/json',
    'schoolbell-tenant': tenant,
  };
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  if (!response.ok)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
