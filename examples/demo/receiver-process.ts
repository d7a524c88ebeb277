import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const RECEIVER = fileURLToPath(new URL('./receiver.ts', import.meta.url));

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
