import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresServer } from './server.ts';

/**
 * Keeps one PostgreSQL for all files of a test run, and removes it when the run is over, however it
 * ended: a run that was killed cannot say so, therefore it is looked for.
 */
const LOOK_EVERY_MS = 200;
const [folder = '', runner = ''] = process.argv.slice(2);

function tell(name: 'url' | 'failure', text: string): void {
  writeFileSync(join(folder, 'telling'), text);
  renameSync(join(folder, 'telling'), join(folder, name));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

try {
  const server = await PostgresServer.create();
  tell('url', server.url('postgres'));
  await new Promise<void>((resolve) => {
    const looking = setInterval(() => {
      if (isRunning(Number(runner))) return;
      clearInterval(looking);
      resolve();
    }, LOOK_EVERY_MS);
  });
  await server.remove();
} catch (error) {
  tell('failure', error instanceof Error ? error.message : String(error));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
