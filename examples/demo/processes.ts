import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));
const RECEIVER = fileURLToPath(new URL('./receiver.ts', import.meta.url));

export type Server = {
  readonly url: string;
  readonly adminKey: string;
  readonly process: ChildProcess;
};

/** Starts `schoolbell serve` on a data folder and waits until it is ready. Rejects with what it wrote when it is not. */
export async function startServer(dataDir: string): Promise<Server> {
  const flags = ['serve', '--data', dataDir, '--port', '0', '--allow-networks', '127.0.0.0/8'];
  const child = spawn(process.execPath, [SERVER, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      const ready = /"url":"([^"]+)"/.exec(output);
      if (ready?.[1] !== undefined) resolve(ready[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', () => reject(new Error(`Schoolbell did not start:\n${output}`)));
  });
  return { url, adminKey: readFileSync(join(dataDir, 'admin.key'), 'utf8').trim(), process: child };
}

export type Receipts = readonly (readonly [id: string, key: string, at: number])[];

export type Receiver = { readonly port: number; readonly process: ChildProcess };

/** Starts the receiver; `onReceived` is called with what came. */
export async function startReceiver(
  settings: { readonly secret: string; readonly log: string },
  onReceived: (receipts: Receipts) => void,
): Promise<Receiver> {
  const env = { ...process.env, RECEIVER_SECRET: settings.secret, RECEIVER_LOG: settings.log };
  const child = fork(RECEIVER, { env });
  const port = await new Promise<number>((resolve, reject) => {
    child.on('message', (message: { port?: number; received?: Receipts }) => {
      if (message.port !== undefined) resolve(message.port);
      if (message.received !== undefined) onReceived(message.received);
    });
    child.once('exit', () => reject(new Error('The receiver did not start.')));
  });
  return { port, process: child };
}

/** Asks a process to end and waits until it has. */
export async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => {
    child.once('exit', resolve);
    if (child.connected) child.disconnect();
    child.kill('SIGTERM');
  });
}
