import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../packages/server/src/cli/main.ts', import.meta.url));

export type ServerProcess = {
  readonly url: string;
  readonly adminKey: string;
  readonly process: ChildProcess;
  /** The end of what it wrote. */
  readonly output: () => string;
};

const KEPT_OUTPUT = 10_000;

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
  /** Given to it by its environment; read from its data folder where absent. */
  readonly adminKey?: string;
  /** The command's file; that of this checkout where absent. */
  readonly entry?: string;
};

/**
 * Starts `schoolbell serve` as a process of its own, for receivers on the loopback, and waits until
 * it is ready. Rejects with what it wrote when it ends before.
 */
export async function startServerProcess(settings: ServerSettings): Promise<ServerProcess> {
  const { dataDir, port, flags = [], nodeFlags = [], entry = MAIN } = settings;
  const given = settings.adminKey === undefined ? {} : { SCHOOLBELL_ADMIN_KEY: settings.adminKey };
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
    env: { ...process.env, ...given, ...settings.env },
  });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      const all = output + chunk.toString('utf8');
      const ready = /"url":"([^"]+)"/.exec(all)?.[1];
      if (ready !== undefined) resolve(ready);
      output = all.slice(-KEPT_OUTPUT);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`the server ended before it was ready:\n${output}`)));
  });
  const adminKey = settings.adminKey ?? readFileSync(join(dataDir, 'admin.key'), 'utf8').trim();
  return { url, adminKey, process: child, output: () => output };
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
