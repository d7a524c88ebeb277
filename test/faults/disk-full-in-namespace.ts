import { execFileSync } from 'node:child_process';
import { endProcess, startServerProcess } from '../../tools/server-process.ts';

/**
 * Fills the disk that is mounted at the given folder, in a mount namespace of its own, makes it
 * larger, and prints as JSON what publishers were told.
 */
const [folder = ''] = process.argv.slice(2);
const settings = { dataDir: `${folder}/data`, port: 0 };
const server = await startServerProcess(settings);
const headers = {
  authorization: `Bearer ${server.adminKey}`,
  'content-type': 'application/json',
};
const body = JSON.stringify({ Action: 'CourseCompleted', text: 'x'.repeat(100_000) });
const publish = () => fetch(`${server.url}/webhooks/events`, { method: 'POST', headers, body });

/** Far more than the disk holds. */
const MOST = 500;
const accepted: string[] = [];
let response = await publish();
while (response.status === 202 && accepted.length < MOST) {
  accepted.push(((await response.json()) as { Id: string }).Id);
  response = await publish();
}
const refused = { status: response.status, text: await response.text() };
execFileSync('mount', ['-o', 'remount,size=64m', folder]);
const again = (await publish()).status;
let kept = 0;
for (const id of accepted) {
  const { status } = await fetch(`${server.url}/webhooks/events/${id}`, { headers });
  if (status === 200) kept += 1;
}
await endProcess(server.process);
await endProcess((await startServerProcess(settings)).process);
process.stdout.write(JSON.stringify({ refused, again, accepted: accepted.length, kept }));
