import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Makes every address of the world local to the namespace, so that nothing leaves the machine. */
const ALL_LOCAL =
  'ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo';

const inNamespace = (command: string): string[] => ['-n', 'sh', '-c', command];

const canIsolate = spawnSync('unshare', inNamespace(ALL_LOCAL)).status === 0;

/** Why tests that need a network namespace are skipped; false where they run. */
export const skip: string | false = canIsolate
  ? false
  : 'needs the right to make a network namespace (unshare -n) and ip';

/** Runs a script of this folder in a namespace of its own, and gives the report that it prints. */
export async function runInNamespace<T>(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const command = `${ALL_LOCAL} && exec "${process.execPath}" "${path}"`;
  const child = await promisify(execFile)('unshare', inNamespace(command), {
    maxBuffer: 64 * 1024 * 1024,
    timeout: 90_000,
    env: { ...process.env, ...env },
  });
  return JSON.parse(child.stdout) as T;
}
