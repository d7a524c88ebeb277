import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { randomFrom } from '../../tools/random.ts';
import { endProcess, type ServerProcess, startServerProcess } from '../../tools/server-process.ts';
import { RARE_ACTION } from './fill.ts';
import type { FilledStore, Owner } from './store.ts';

/** Times of one kind of look-up over many registrations, in milliseconds. */
export type LookUps = {
  readonly what: string;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
};

const KINDS: readonly (readonly [what: string, query: string])[] = [
  ['newest page', ''],
  ['newest exhausted', '&state=exhausted'],
  ['newest of a rare action', `&action=${RARE_ACTION}`],
  ['of one day, three weeks ago', ''],
];
const DAY_MS = 86_400_000;
const SAMPLES = 200;

/** The first pages of registrations' deliveries, over HTTP: read for the first time from the disk, and at rest. */
export async function measureLog({ folder, registrations }: FilledStore): Promise<LookUps[]> {
  forget(join(folder, 'schoolbell.db'));
  const server = await startServerProcess({ dataDir: folder, port: 0 });
  try {
    const random = randomFrom(2);
    const some = Array.from(
      { length: SAMPLES },
      () => registrations[Math.floor(random() * registrations.length)],
    ).filter((owner) => owner !== undefined);
    const found: LookUps[] = [];
    for (const state of ['cold', 'warm']) {
      for (const [what, query] of KINDS)
        found.push(
          await look(server, some, { what: `${what}, ${state}`, query: query + dayOf(what) }),
        );
    }
    return found;
  } finally {
    await endProcess(server.process);
  }
}

function dayOf(what: string): string {
  if (!what.includes('one day')) return '';
  const at = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
  return `&from=${at(21)}&to=${at(20)}`;
}

/** Drops what the system's cache holds of a file, so that the next read is of the disk. */
function forget(path: string): void {
  execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], {
    stdio: 'ignore',
  });
}

async function look(
  server: ServerProcess,
  owners: readonly Owner[],
  { what, query }: { readonly what: string; readonly query: string },
): Promise<LookUps> {
  const times: number[] = [];
  for (const { tenant, id } of owners) {
    const from = performance.now();
    const response = await fetch(`${server.url}/webhooks/deliveries?registrationId=${id}${query}`, {
      headers: { authorization: `Bearer ${server.adminKey}`, 'schoolbell-tenant': tenant },
    });
    const text = await response.text();
    times.push(performance.now() - from);
    if (!response.ok) throw new Error(`${what}: ${text}`);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
  return { what, p50: at(0.5), p95: at(0.95), max: at(1) };
}
