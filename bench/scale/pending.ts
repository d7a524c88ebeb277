import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';
import { openSqliteStore } from '../../packages/server/src/store/sqlite/store.ts';
import { rssMbOf } from '../processes.ts';
import { fillPending } from './fill.ts';
import { noteKeys, register } from './store.ts';

/** A server that starts with so many deliveries waiting for endpoints that are down. */
export type Backlog = {
  readonly pending: number;
  readonly readyMs: number;
  readonly rssMb: number;
};

const REGISTRATIONS = 100;
/** Refuses connections: nothing listens there. */
const DOWN = 'http://127.0.0.1:65535/down?noecho';
const WORKS_MS = 8000;
const SAMPLES = 10;

export async function measureBacklog(pending: number): Promise<Backlog> {
  const folder = mkdtempSync(join(tmpdir(), 'schoolbell-pending-'));
  try {
    const first = await startServerProcess({ dataDir: folder, port: 0 });
    const registrations: string[] = [];
    for (let n = 0; n < REGISTRATIONS; n += 1)
      registrations.push(await register(first, 'default', DOWN));
    await endProcess(first.process);
    const path = join(folder, 'schoolbell.db');
    fillPending(path, { registrations, pending, now: Date.now() });
    await noteKeys(await openSqliteStore({ path }));
    const from = performance.now();
    const server = await startServerProcess({ dataDir: folder, port: 0 });
    const readyMs = performance.now() - from;
    const rss: number[] = [];
    for (let n = 0; n < SAMPLES; n += 1) {
      await sleep(WORKS_MS / SAMPLES);
      rss.push(rssMbOf(server));
    }
    await endProcess(server.process);
    return { pending, readyMs, rssMb: Math.max(...rss) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
