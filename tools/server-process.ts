import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../packages/server/src/cli/main.ts', import.meta.url));

export type ServerProcess = {
  readonly url: string;
  readonly adminKey: string;
  readonly process: ChildProcess;
};

export type ServerSettings = {
  readonly dataDir: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Further flags of `schoolbell serve`. */
  readonly flags?: readonly string[];
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** Variables besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command's file; that of this checkout where absent. */
  readonly entry?: string;
};

/**
 * Starts `schoolbell serve` as a process of its own, for receivers on the loopback, and waits until
 * it is ready. Rejects with what it wrote when it ends before.
 */
export async function startServerProcess(settings: ServerSettings): Promise<ServerProcess> {
  const { dataDir, port, flags = [], nodeFlags = [], entry = MAIN } = settings;
  const own = [
    'serve',
    '--data',
    dataDir,
    '--port',
    String(port),
    '--allow-networks',
    '127.0.0.0/8',
  ];
  const child = spawn(process.execPath, [...nodeFlags, entry, ...own, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...settings.env },
  });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const ready = /"url":"([^"]+)"/.exec(output)?.[1];
      if (ready === undefined) return;
      child.stdout.off('data', read).resume();
      child.stderr.off('data', read).resume();
      resolve(ready);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`the server ended before it was ready:\n${output}`)));
  });
  return { url, adminKey: readFileSync(join(dataDir, 'admin.key'), 'utf8').trim(), process: child };
}

/** Ends a process and waits until it has. */
export async function endProcess(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGTERM',
): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    if (child.connected) child.disconnect();
    child.kill(signal);
  });
}
